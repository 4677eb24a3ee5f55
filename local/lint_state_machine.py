"""Checks state machines with statelint: dangling or unreachable states, missing ends, wrong fields.

`python -m local.lint_state_machine FILE...`, exit code 1 with the problems. statelint 3.1 does not
know that JSONata may stand where JSONPath machines have a number, so those expressions are shown to
it as one; whether they evaluate is the workflow tests' business.
"""

import json
import sys
from pathlib import Path
from typing import Any

from statelint.config import Config
from statelint.linter import Linter
from statelint.problem import ProblemType

NUMBER_FIELDS = frozenset({"Seconds", "TimeoutSeconds", "HeartbeatSeconds", "MaxConcurrency"})


def problems(definition: dict[str, Any]) -> list[str]:
    """What statelint finds in the definition, as its own sentences."""
    # FLOAT: it wants 2.0 where the service takes 2
    return list(Linter.validate(with_numbers(definition), Config({ProblemType.FLOAT})))


def with_numbers(node: Any) -> Any:
    """The definition with 1 in place of the expressions in fields that hold a number."""
    if isinstance(node, list):
        return [with_numbers(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: 1 if name in NUMBER_FIELDS and is_expression(value) else with_numbers(value)
        for name, value in node.items()
    }


def is_expression(value: Any) -> bool:
    """True for a JSONata expression as Step Functions writes it: `{% ... %}`."""
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}")


def main(files: list[str]) -> int:
    """Print every file's problems; 1 when there are any."""
    found = [(file, problem) for file in files for problem in problems(_read(file))]
    for file, problem in found:
        print(f"{file}: {problem}")
    return 1 if found else 0


def _read(file: str) -> dict[str, Any]:
    definition: dict[str, Any] = json.loads(Path(file).read_text())
    return definition


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
