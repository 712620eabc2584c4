"""Campaigns: rounds of confirmed traffic with a fault in each, and an account of all messages.

``plan`` chooses the rounds from a seed, ``stage`` starts the brokers, ``play`` runs one round,
``run`` all of them; ``results`` is what comes out, and ``render`` shows it.
"""
