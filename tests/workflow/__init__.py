"""The real state machine with the real functions, as deployed; the provider is an emulator."""
