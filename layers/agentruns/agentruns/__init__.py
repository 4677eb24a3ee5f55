"""agentruns: starts agent work, follows it and brings it to a terminal state.

The first-party package of the bundle's Lambda functions. Importing it does nothing: no client, no
environment, no table. The local stack and the command line are separate packages.
"""
