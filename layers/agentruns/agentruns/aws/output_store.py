"""Outputs as S3 objects, `outputs/<tenant>/<run id>/<sha256>.json`.

An object's name says what is in it, so a repeated put writes the same again, and none is ever
changed. botocore owns the retries. Not here: when they are removed; the bucket's owner may say so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from agentruns.errors import OutputNotFound

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

    from agentruns.outputs import Output


_MISSING = frozenset({"NoSuchKey", "AccessDenied"})
"""Who may not list a bucket is not told that an object is missing
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)."""

logger = logging.getLogger(__name__)


class S3OutputStore:
    """`agentruns.outputs.OutputStore`; `client` is asked for at the first use."""

    def __init__(self, client: Callable[[], S3Client], bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, tenant: str, output: Output) -> None:
        self._client().put_object(
            Bucket=self._bucket,
            Key=_key(tenant, output.run_id, output.ref.sha256),
            Body=output.text.encode("ascii"),
            ContentType="application/json",
        )

    def read(self, tenant: str, run_id: str, sha256: str, first: int, last: int) -> str:
        client = self._client()
        try:
            answer = client.get_object(
                Bucket=self._bucket,
                Key=_key(tenant, run_id, sha256),
                Range=f"bytes={first}-{last}",
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _MISSING:
                raise
            logger.warning("output_not_readable", extra={"run_id": run_id, "code": code})
            raise OutputNotFound(run_id) from error
        return answer["Body"].read().decode("ascii")


def _key(tenant: str, run_id: str, sha256: str) -> str:
    return f"outputs/{tenant}/{run_id}/{sha256}.json"
