"""As much of the `aws` command as the README types, over boto3: no AWS CLI needed to test it.

`aws SERVICE OPERATION --option VALUE ... [--query JMESPATH] [--output json|text]`. Operation and
options are those of botocore's service models, so a wrong one fails as it does with the real
command. Endpoint, region and credentials come from the environment, as there.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
import jmespath  # type: ignore[import-untyped]  # comes with botocore, without types
from botocore import xform_name


def main(words: list[str]) -> int:
    service, operation, *rest = words
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    query, output = options.pop("--query", None), options.pop("--output", "json")
    create: Any = boto3.client
    client = create(service)
    names = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
    if operation not in names:
        sys.stderr.write(f"aws: {service} has no {operation}\n")
        return 252
    shape = client.meta.service_model.operation_model(names[operation]).input_shape
    members = {
        "--" + xform_name(name, "-"): (name, member) for name, member in shape.members.items()
    }
    unknown = options.keys() - members.keys()
    if unknown:
        sys.stderr.write(f"aws: unknown options: {', '.join(sorted(unknown))}\n")
        return 252
    parameters = {}
    for option, value in options.items():
        name, member = members[option]
        is_document = member.type_name in {"structure", "list", "map"}
        parameters[name] = json.loads(value) if is_document else value
    answer = getattr(client, xform_name(names[operation]))(**parameters)
    answer.pop("ResponseMetadata", None)
    found = jmespath.search(query, answer) if query else answer
    text = json.dumps(found, indent=4, default=str)
    if output == "text":
        text = "\t".join(map(str, found)) if isinstance(found, list) else str(found)
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
