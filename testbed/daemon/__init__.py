"""The process behind a testbed that is up: AWS's endpoint, and maintenance of the brokers."""
