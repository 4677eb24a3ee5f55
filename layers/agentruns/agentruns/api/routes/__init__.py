"""The operator API's routes, one module and one Router per resource."""
