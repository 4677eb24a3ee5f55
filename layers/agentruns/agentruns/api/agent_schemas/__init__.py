"""The Agent API's bodies and answers, in the protocol's own names."""
