"""The life of a broker, in Amazon MQ's own terms."""
