"""What every route asks first: who calls, with which scope, and is this a name at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentruns.ids import NAME_PATTERN
from agentruns.operator_keys import Caller, Scope

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.api_gateway import Router

    from agentruns.errors import NotFound

CALLER = "caller"
"""Under this the app leaves the authenticated caller in the request's context."""

_NAME = re.compile(NAME_PATTERN)


def tenant_of(router: Router, scope: Scope) -> str:
    """The caller's tenant. ScopeDenied where its key lacks `scope`."""
    return caller_of(router, scope).tenant


def caller_of(router: Router, scope: Scope) -> Caller:
    """ScopeDenied where the caller's key lacks `scope`."""
    caller = router.context[CALLER]
    if not isinstance(caller, Caller):
        raise TypeError(f"the request's caller is a {type(caller).__name__}")
    caller.require(scope)
    return caller


def require_name(name: str, not_found: type[NotFound]) -> str:
    """`name` itself; what cannot be a name is not found, and never becomes part of a key."""
    if _NAME.fullmatch(name) is None:
        raise not_found(name)
    return name
