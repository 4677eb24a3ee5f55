"""A string that does not show itself.

Not encryption: the value is in memory in clear; only its ways out (repr, str, format, json,
pickle) are shut. `reveal()` is the one door, and it is greppable.
"""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """A credential or token. `repr`, `str` and `format` give `***`; pickling is refused."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value in clear. Call it where the value leaves for its owner, nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, format_spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: it would leave the process in clear")
