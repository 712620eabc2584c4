"""Faults on purpose: each says what it did, undoes itself, and touches its own testbed only.

One fault, one file; ``all`` lists them, and ``running`` injects and undoes them.
"""
