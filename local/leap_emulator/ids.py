"""Ids in the provider's form: a prefix and letters and digits, never the same twice."""

from __future__ import annotations

import hashlib
import secrets
import string

_LETTERS = string.ascii_letters + string.digits
_LENGTHS = {"rnp": 15, "bulk": 24}


def new_id(prefix: str) -> str:
    """An id of a run (`rnp`) or a bulk run (`bulk`)."""
    return f"{prefix}_" + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTHS[prefix]))


def version_id_of(workflow_id: str) -> str:
    """The version of a workflow: always the same one for the same id."""
    return (
        "vsp_" + hashlib.sha256(b"leap-emulator-version:" + workflow_id.encode()).hexdigest()[:14]
    )
