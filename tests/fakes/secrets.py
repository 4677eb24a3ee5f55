"""Secrets Manager in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentruns.errors import SecretMalformed


class InMemorySecretStore:
    """`documents` holds the text of each secret by name; `writes` the names put, in order."""

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}
        self.descriptions: dict[str, str] = {}
        self.writes: list[str] = []
        self.reads: list[str] = []

    def get(self, name: str) -> Mapping[str, Any] | None:
        self.reads.append(name)
        text = self.documents.get(name)
        if text is None:
            return None
        try:
            document = json.loads(text)
        except ValueError as error:
            raise SecretMalformed(name, "it is not JSON") from error
        if not isinstance(document, dict):
            raise SecretMalformed(name, "it is not a JSON object")
        return document

    def put(self, name: str, document: Mapping[str, Any], description: str) -> None:
        self.documents[name] = json.dumps(dict(document))
        self.descriptions.setdefault(name, description)
        self.writes.append(name)

    def put_text(self, name: str, text: str) -> None:
        """What somebody stored by hand."""
        self.documents[name] = text

    def delete(self, name: str) -> None:
        self.documents.pop(name, None)
        self.descriptions.pop(name, None)
