"""The fault suite in a short form; its checker is tested in tests/unit/chaos."""
