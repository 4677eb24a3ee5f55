"""The laptop side: launcher of the embedded stack and the provider emulators. Never deployed."""
