"""CloudTrail: one record for each call on keys and brokers, none with a secret."""
