"""The Agent API's routes, one Router per resource."""
