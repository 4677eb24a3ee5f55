"""The outside world behind the ports: providers. The only importers of requests; no use cases."""
