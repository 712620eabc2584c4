"""Advice on what the data-protection page recommends and Amazon MQ's API does not enforce. Pure."""
