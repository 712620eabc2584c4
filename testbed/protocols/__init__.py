"""The first bytes of each wire protocol: a client's greeting and login. No I/O.

Readiness probes, the prober and the load generators speak these protocols from here.
"""
