"""The first bytes of each wire protocol: what a client says to greet a server and to log in. No I/O.

Readiness probes, the prober and the load generators speak these protocols from here.
"""
