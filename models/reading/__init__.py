"""User files: the one place that opens them, parses them in a limited process, and says in words why one is refused."""
