"""What AWS asks, in dollars: us-east-1, list prices without free tiers, noted in November 2026.

Those of Step Functions are from its page, the others from summaries: look at the pages before you
rely on them. A `GB-second` is Lambda's on arm64; read and write units are DynamoDB's on demand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from agentruns.polling import DOLLARS_PER_TRANSITION
from agentruns.store.values import to_item

NOTED = "us-east-1, list prices, noted in November 2026"

TRANSITION = DOLLARS_PER_TRANSITION
LAMBDA_CALL = 0.20 / 1_000_000
GB_SECOND = 0.0000133334
WRITE_UNIT = 0.625 / 1_000_000
READ_UNIT = 0.125 / 1_000_000
BUS_EVENT = 1.00 / 1_000_000
API_REQUEST = 3.50 / 1_000_000
SECRETS_CALL = 0.05 / 10_000
LOG_GB = 0.50

WORKER_GB = 0.25
SWEEPER_GB = 1769 / 1024
"""As `template.yaml` sets them."""

TICKS_A_MONTH = 730 * 60


def size_bytes(row: Mapping[str, Any]) -> int:
    """Names and values, as
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    counts them."""
    return sum(
        len(name) + sum(len(str(each)) for each in value.values())
        for name, value in to_item(row).items()
    )


def write_units(row: Mapping[str, Any]) -> int:
    return math.ceil(size_bytes(row) / 1024)


def read_units(size: int, *, consistent: bool) -> float:
    """Of one query or get that reads so many bytes."""
    units = max(math.ceil(size / 4096), 1)
    return float(units) if consistent else units / 2
