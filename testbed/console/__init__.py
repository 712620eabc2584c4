"""The console: a page at the endpoint that shows a testbed, and calls its APIs from buttons."""
