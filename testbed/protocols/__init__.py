"""The wire protocols as bytes: a client's greeting and login, and the frames of a message. No I/O.

Readiness probes, the prober and the load generators speak these protocols from here.
"""
