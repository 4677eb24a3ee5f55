"""Schemathesis over the OpenAPI documents, against both APIs in this process: `make fuzz`."""
