"""Metrics: what alarms and the dashboard read is what the code writes."""

from __future__ import annotations

import ast
import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from agentruns import telemetry
from agentruns.telemetry import METRICS_NAMESPACE
from tests.unit.structure.project import modules, nodes, resources

WRITERS = {"telemetry.count", "telemetry.measure"}


@functools.cache
def emitted() -> dict[str, set[tuple[str, ...]]]:
    """Every metric of the code with the dimension sets it is written under."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for path in modules().values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in WRITERS:
                name = ast.literal_eval(node.args[0])
                extra = sorted(str(keyword.arg) for keyword in node.keywords)
                sets = found.setdefault(name, {("service",)})
                sets.add(tuple(sorted(["service", *extra])))
    return found


def read_by_alarms() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for name, alarm in resources("AWS::CloudWatch::Alarm").items():
        properties = alarm["Properties"]
        if properties["Namespace"] == METRICS_NAMESPACE:
            dimensions = sorted(each["Name"] for each in properties["Dimensions"])
            yield name, properties["MetricName"], tuple(dimensions)


def dashboard() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(
        resources("AWS::CloudWatch::Dashboard")["Dashboard"]["Properties"]["DashboardBody"][
            "Fn::Sub"
        ]
    )
    return body


def read_by_the_dashboard() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for widget in dashboard()["widgets"]:
        for namespace, metric, *pairs in widget["properties"]["metrics"]:
            if namespace == METRICS_NAMESPACE:
                dimensions = pairs[: len(pairs) // 2 * 2 : 2]  # what is over is how to draw it
                yield widget["properties"]["title"], metric, tuple(sorted(dimensions))


@pytest.mark.parametrize("reader", [read_by_alarms, read_by_the_dashboard])
def test_every_metric_that_is_read_is_written_with_those_dimensions(reader):
    read = list(reader())
    written = emitted()

    assert read
    wrong = [each for each in read if each[2] not in written.get(each[1], set())]
    assert wrong == []


def test_every_metric_that_is_written_is_read():
    read = {metric for _, metric, _ in (*read_by_alarms(), *read_by_the_dashboard())}

    assert read == set(emitted())


def test_the_dashboard_shows_every_function_and_queue():
    shown = " ".join(str(node) for node in nodes(dashboard()))

    missing = [
        name
        for name in resources("AWS::Serverless::Function", "AWS::SQS::Queue")
        if f"${{{name}" not in shown
    ]
    assert missing == []


def test_a_count_is_published_for_the_service_and_by_its_dimensions(capsys, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "agentruns-dev")

    telemetry.count("FailedChecks", 3, connection="leena")

    blob = json.loads(capsys.readouterr().out)
    (directive,) = blob["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "agentruns"
    assert directive["Dimensions"] == [["service"], ["service", "connection"]]
    assert directive["Metrics"] == [{"Name": "FailedChecks", "Unit": "Count"}]
    assert (blob["service"], blob["connection"]) == ("agentruns-dev", "leena")
    assert blob["FailedChecks"] == [3.0]


def test_a_count_without_dimensions_is_published_for_the_service(capsys, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "agentruns-dev")

    telemetry.count("ExecutionsReplaced")

    blob = json.loads(capsys.readouterr().out)
    assert blob["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_a_count_carries_nothing_over_to_the_next(capsys, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "agentruns-dev")

    telemetry.count("FailedChecks", connection="leena")
    telemetry.count("RunsSwept", 2)

    _, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "connection" not in last
    assert "FailedChecks" not in last
