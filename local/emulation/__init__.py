"""What the provider emulators have in common: HTTP on loopback, routes, faults, control bodies.

Knows no provider and nothing of `agentruns`.
"""
