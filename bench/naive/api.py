"""An API function with validation on top of all that."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.parser import event_parser

from bench.naive.worker import Task, executions, logger, metrics, secrets, session, table

__all__ = ["Task", "event_parser", "executions", "logger", "metrics", "secrets", "session", "table"]

app = APIGatewayRestResolver(enable_validation=True)


@app.post("/activities")
def start_activity(task: Task) -> Task:
    """Enough for the resolver to build its models."""
    return task
