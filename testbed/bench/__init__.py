"""What encryption costs: load on real brokers, measured so that one can believe it; see docs/measuring.md."""
