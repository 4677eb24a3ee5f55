"""Bulk runs: a workflow of Leap once for each row of a CSV file, as one activity.

The file is named by its URL; Leap fetches it, nobody here does. Not here: what is sent and read
(`adapters.leap`); a bulk run is started, followed and ended as any other (`workflows`, `hooks`).
"""

from __future__ import annotations

from collections.abc import Callable

from agentruns.errors import InvalidRequest
from agentruns.providers import Connection, LeapConnection
from agentruns.secret import Secret

INPUT_CSV_URL = "input_csv_url"
"""The field of a request that makes its activity a bulk run."""

ValidateUrl = Callable[[str], object]
"""ValueError says what is wrong with a URL, and does not quote its query."""


class InputCsv(Secret):
    """The URL of a bulk run's rows. It may be signed, so it does not show itself."""

    __slots__ = ()


def require_bulk_runs(connection: Connection | None, field: str = INPUT_CSV_URL) -> None:
    """InvalidRequest that names `field` where the connection leads to no bulk runs."""
    if connection is None:
        fault = "only a workflow of Leap takes one; this agent is called at its URL"
    elif not isinstance(connection, LeapConnection):
        fault = f"only a workflow of Leap takes one; {connection.name!r} leads elsewhere"
    elif not connection.dialect.has_bulk_runs:
        fault = (
            f"connection {connection.name!r} speaks the dialect {connection.dialect}, which has no "
            "bulk runs; store it again with the dialect runs"
        )
    else:
        return
    raise InvalidRequest([(field, fault)])


def require_input_csv(
    connection: Connection | None,
    url: str | None,
    validate_url: ValidateUrl,
    field: str = INPUT_CSV_URL,
) -> None:
    """InvalidRequest that names `field` where a request's CSV cannot be run over the connection;
    no CSV can always be."""
    if url is None:
        return
    require_bulk_runs(connection, field)
    try:
        validate_url(url)
    except ValueError as error:
        raise InvalidRequest([(field, str(error))]) from None
