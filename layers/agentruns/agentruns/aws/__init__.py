"""AWS services behind the ports: Secrets Manager, Step Functions, EventBridge, and boto's clients.

Not the table: `store`. Not Leena AI: `adapters`.
"""
