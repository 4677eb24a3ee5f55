"""A worker that imports everything it may need and builds its clients at once."""

from __future__ import annotations

import boto3
import requests
from aws_lambda_powertools import Logger, Metrics
from pydantic import BaseModel

logger = Logger(service="naive")
metrics = Metrics(namespace="naive", service="naive")
table = boto3.client("dynamodb")
secrets = boto3.client("secretsmanager")
executions = boto3.client("stepfunctions")
session = requests.Session()


class Task(BaseModel):
    """What a worker is given."""

    tenant: str
    activity_id: str
    run_id: str
