"""Handlers as they are often written, to compare with: never deployed."""
