"""HTTPS on 127.0.0.1 for what the testbed serves: the services' endpoint and the console."""
