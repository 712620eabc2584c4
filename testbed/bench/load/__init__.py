"""The load of a benchmark: generators, the roles of their connections, and worker processes."""
