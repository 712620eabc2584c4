"""Scenarios: one file each, runnable by itself, naming the claims it settles."""
