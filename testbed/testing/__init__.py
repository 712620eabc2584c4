"""What the pytest plugin gives tests: shared brokers, isolation, and the events of a test."""
