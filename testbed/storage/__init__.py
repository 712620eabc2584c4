"""Volumes with EBS semantics, and the proof of what is on them."""
