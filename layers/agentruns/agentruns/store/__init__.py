"""Where agentruns keeps what it knows: the DynamoDB implementations of the stores in `ports`."""
