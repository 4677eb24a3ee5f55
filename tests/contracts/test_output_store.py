"""The contract of `OutputStore`, on the fake and on S3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from agentruns.aws.clients import AwsClients
from agentruns.aws.output_store import S3OutputStore
from agentruns.errors import OutputNotFound
from agentruns.outputs import Output, output_of
from tests.fakes.outputs import InMemoryOutputStore

BUCKET = "agentruns-outputs"
RUN = "run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1"
EMPTY: tuple[Any, ...] = (False, 0, "", [], {})
VALUE = {"é": ["x" * 400_000, None, 1.5, "\U0001f600"]}


@pytest.fixture(params=["in_memory", "s3"])
def outputs(request: pytest.FixtureRequest) -> Any:
    if request.param == "in_memory":
        return InMemoryOutputStore()
    aws: AwsClients = request.getfixturevalue("aws")
    aws.s3().create_bucket(Bucket=BUCKET)
    return S3OutputStore(aws.s3, BUCKET)


def an_output(value: Any = VALUE, run_id: str = RUN) -> Output:
    output = output_of(run_id, value)
    assert output is not None
    return output


def test_what_was_put_is_read_back_piece_by_piece(outputs):
    output = an_output()
    outputs.put("acme", output)
    size, sha256 = output.ref.size_bytes, output.ref.sha256

    pieces = [
        outputs.read("acme", RUN, sha256, first, min(first + 99_999, size - 1))
        for first in range(0, size, 100_000)
    ]

    assert output.text == "".join(pieces)
    assert json.loads("".join(pieces)) == VALUE
    assert outputs.read("acme", RUN, sha256, size - 1, size - 1) == "}"


def test_putting_it_again_changes_nothing(outputs):
    output = an_output()
    for _ in range(2):
        outputs.put("acme", output)

    assert output.text[:5] == outputs.read("acme", RUN, output.ref.sha256, 0, 4)


def test_two_outputs_of_one_run_stand_beside_each_other(outputs):
    first, second = an_output([1]), an_output([2])
    for output in (first, second):
        outputs.put("acme", output)

    assert outputs.read("acme", RUN, first.ref.sha256, 0, 2) == "[1]"
    assert outputs.read("acme", RUN, second.ref.sha256, 0, 2) == "[2]"


@pytest.mark.parametrize(
    ("tenant", "run_id", "sha256"),
    [("other", RUN, None), ("acme", RUN[:-1] + "2", None), ("acme", RUN, "0" * 64)],
)
def test_anothers_is_not_found(outputs, tenant, run_id, sha256):
    output = an_output([1])
    outputs.put("acme", output)

    with pytest.raises(OutputNotFound):
        outputs.read(tenant, run_id, sha256 or output.ref.sha256, 0, 2)


def test_an_outputs_text_is_ascii_whatever_the_value():
    output = an_output()

    assert output.text.isascii()
    assert output.ref.size_bytes == len(output.text.encode())
    assert output_of(RUN, None) is None
    assert all(output_of(RUN, value) is not None for value in EMPTY)


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchKey", "SlowDown"])
def test_s3_tells_who_may_not_list_that_he_is_denied_what_is_missing(aws, code, caplog):
    stubbed = aws.s3()
    store = S3OutputStore(lambda: stubbed, BUCKET)
    with Stubber(stubbed) as stubber:
        stubber.add_client_error("get_object", code)
        with pytest.raises(ClientError if code == "SlowDown" else OutputNotFound):
            store.read("acme", RUN, "0" * 64, 0, 2)
    assert ("output_not_readable" in caplog.text) is (code != "SlowDown")
