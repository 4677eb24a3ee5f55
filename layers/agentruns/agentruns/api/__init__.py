"""The operator API: HTTP in, use cases, problem+json out. The only importers of pydantic."""
