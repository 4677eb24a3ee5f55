"""So many requests over every route: well-formed with ids of what is there, well-formed with any
ids, and malformed. Every request has a world of its own, so that one can be repeated by itself.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase, strategies
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks

from tests.fuzz.sending import HOST, session_over
from tests.unit.api.both import ApiUnderTest, BothApis, scheme_of

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
CHECKS_OF_MALFORMED_BODIES = [*CHECKS, checks.negative_data_rejection]
"""A body is refused for any field that is wrong; what a query has too much is passed over."""
LEAST_SHARE_OF_SUCCESSES = 0.3


@dataclass
class Tally:
    """What was answered. `failures`: one text for each route that broke a rule."""

    statuses: Counter[int] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return self.statuses.total()

    @property
    def success_share(self) -> float:
        successes = sum(n for status, n in self.statuses.items() if 200 <= status < 300)
        return successes / max(1, self.requests)

    @property
    def server_errors(self) -> int:
        return sum(n for status, n in self.statuses.items() if status >= 500)

    @property
    def is_good(self) -> bool:
        is_worthwhile = self.success_share >= LEAST_SHARE_OF_SUCCESSES
        return not self.failures and not self.server_errors and is_worthwhile

    def report(self) -> str:
        statuses = ", ".join(f"{status}: {n}" for status, n in sorted(self.statuses.items()))
        lines = [
            f"{self.requests} requests to {len(self.routes)} routes, "
            f"{self.success_share:.0%} answered 2xx, {self.server_errors} answered 5xx, "
            f"{len(self.failures)} routes against their description",
            f"by status: {statuses}",
        ]
        return "\n".join([*lines, *self.failures])


def walk(apis: Sequence[ApiUnderTest], requests: int, seed: int) -> Tally:
    """At least so many requests, as many to each route; a route that failed is left out then."""
    tally = Tally()
    routes = [(api, each) for api in apis for each in _operations(api)]
    for round_number in itertools.count():
        missing = requests - tally.requests
        if missing <= 0 or not routes:
            return tally
        share = -(-missing // len(routes))
        routes = [
            (api, operation)
            for api, operation in routes
            if _try_route(api, operation, share, seed + round_number, tally)
        ]
    raise AssertionError


def _operations(api: ApiUnderTest) -> list[Any]:
    found: list[Any] = list(schemathesis.openapi.from_dict(api.document).get_all_operations())
    return [result.ok() for result in found]


def _try_route(api: ApiUnderTest, operation: Any, share: int, seed: int, tally: Tally) -> bool:
    """Whether it did as its description says."""
    scheme = scheme_of(operation.definition.raw)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=share,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategies.data())
    def send(data: strategies.DataObject) -> None:
        both = BothApis()
        case = data.draw(_case_of(api, operation, both))
        headers = {"Authorization": api.credentials(both)[scheme]}
        response = case.call(base_url=HOST, session=session_over(api.app(both)), headers=headers)
        tally.statuses[response.status_code] += 1
        tally.routes[operation.label] += 1
        body = case.meta.components.get(ParameterLocation.BODY)
        is_malformed = body is not None and body.mode.is_negative
        case.validate_response(
            response, checks=CHECKS_OF_MALFORMED_BODIES if is_malformed else CHECKS
        )

    try:
        send()
    except (Exception, FailureGroup) as error:  # noqa: BLE001  # told in the report
        tally.failures.append(f"--- {operation.label}\n{error}")
        return False
    return True


def _case_of(api: ApiUnderTest, operation: Any, both: BothApis) -> strategies.SearchStrategy[Any]:
    names = api.path_names(both, operation.path)
    there = strategies.fixed_dictionaries(
        {name: strategies.sampled_from(each) for name, each in names.items()}
    )
    kinds = [
        there.flatmap(lambda chosen: operation.as_strategy(path_parameters=chosen or None)),
        operation.as_strategy(),
    ]
    kinds = [kinds[0], kinds[0], *kinds] if names else kinds[:1]
    if operation.body or operation.query:
        malformed = GenerationMode.NEGATIVE
        kinds.append(
            there.flatmap(
                lambda chosen: operation.as_strategy(malformed, path_parameters=chosen or None)
            )
        )
    return strategies.one_of(*kinds)
