"""The `agentruns` command: a client of the operator API. Never part of a Lambda layer."""
