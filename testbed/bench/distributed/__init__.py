"""Load from several machines, by Locust."""
