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
        self.previous: dict[str, str] = {}

    def get(self, name: str) -> Mapping[str, Any] | None:
        self.reads.append(name)
        return self._parsed(name, self.documents.get(name))

    def get_previous(self, name: str) -> Mapping[str, Any] | None:
        return self._parsed(name, self.previous.get(name))

    @staticmethod
    def _parsed(name: str, text: str | None) -> Mapping[str, Any] | None:
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
        if name in self.documents:
            self.previous[name] = self.documents[name]
        self.documents[name] = json.dumps(dict(document))
        self.descriptions.setdefault(name, description)
        self.writes.append(name)

    def put_text(self, name: str, text: str) -> None:
        """What somebody stored by hand."""
        self.documents[name] = text

    def delete(self, name: str) -> None:
        self.documents.pop(name, None)
        self.previous.pop(name, None)
        self.descriptions.pop(name, None)
