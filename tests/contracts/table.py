"""The table of `template.yaml`, to be created in moto: its keys, its indexes and its TTL."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

TABLE_NAME = "agentruns-contracts"
_TEMPLATE = Path(__file__).parents[2] / "template.yaml"
_CREATED_WITH = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


class _TemplateLoader(yaml.SafeLoader):
    """Takes CloudFormation's short functions (`!Ref`, `!If`) for null: the keys use none."""


_TemplateLoader.add_multi_constructor("!", lambda loader, suffix, node: None)


@cache
def table_properties() -> dict[str, Any]:
    """The properties of the only table in the template."""
    template = yaml.load(_TEMPLATE.read_text(), Loader=_TemplateLoader)  # a SafeLoader
    (table,) = (
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::DynamoDB::Table"
    )
    return dict(table)


def table_definition() -> dict[str, Any]:
    """As CreateTable takes it."""
    properties = table_properties()
    return {"TableName": TABLE_NAME, **{name: properties[name] for name in _CREATED_WITH}}
