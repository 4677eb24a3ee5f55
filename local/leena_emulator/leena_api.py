"""The three documented endpoints: mint a token, execute an AOP, read an item's status.

Source: Leena AI, "External AOP API: Authentication & Usage Guide (Beta)". What the guide leaves
open (the codes of the token endpoint's errors, the scope of a status read, the order of the
checks) is listed in docs/leena-emulator.md under "Where the guide is silent".
"""

from __future__ import annotations

import base64
import binascii
import hmac

from local.emulation.errors import RequestRefused
from local.emulation.messages import Reply, Request, json_reply
from local.emulation.provider_body import read_object, require_text
from local.leena_emulator.object_ids import is_object_id
from local.leena_emulator.settings import EXECUTE_SCOPE
from local.leena_emulator.state import EmulatorState

_BASIC_CHALLENGE = {"WWW-Authenticate": 'Basic realm="leena"'}


def mint_token(state: EmulatorState, request: Request) -> Reply:
    """`POST /api/v1.0/oauth/token`. Raises RequestRefused 400, 401."""
    credentials = state.settings.credentials
    client = _basic_credentials(request.headers.get("authorization", ""))
    if not _is_same(client, (credentials.client_id, credentials.client_secret)):
        raise RequestRefused(401, "Invalid client credentials", headers=_BASIC_CHALLENGE)
    body = read_object(request)
    if body.get("grant_type") != "password":
        raise RequestRefused(400, "grant_type must be password")
    user = (require_text(body, "username"), require_text(body, "password"))
    if not _is_same(user, (credentials.username, credentials.password)):
        raise RequestRefused(401, "Invalid username or password")
    token = state.tokens.mint(state.settings)
    state.ledger.record_token()
    return json_reply(
        200,
        {
            "access_token": token.access_token,
            "token_type": "Bearer",
            "refresh_token": token.refresh_token,
            "expires_in": token.expires_in,
        },
        {"Cache-Control": "no-store"},
    )


def execute_aop(state: EmulatorState, request: Request) -> Reply:
    """`POST /api/v1/external/aop/execute`. Raises RequestRefused 400, 401, 403, 404."""
    _authorize(state, request)
    body = read_object(request)
    aop_id = require_text(body, "aop_id")
    message_to_start = body.get("message_to_start", "")
    if not isinstance(message_to_start, str):
        raise RequestRefused(400, "message_to_start must be a string")
    context = body.get("context", {})
    if not isinstance(context, dict):
        raise RequestRefused(400, "context must be an object")
    aop = state.aops.find(aop_id)
    if aop is None:
        raise RequestRefused(404, "AOP identifier not found")
    if not aop.is_executable:
        raise RequestRefused(400, "AOP cannot be executed")
    item = state.items.create(aop)
    state.ledger.record_execute(item, message_to_start=message_to_start, context=context)
    return json_reply(
        200,
        {
            "aop_item_id": item.aop_item_id,
            "request_id": item.request_id,
            "run_id": item.run_id,
            "status": "accepted",
        },
    )


def read_aop_status(state: EmulatorState, request: Request) -> Reply:
    """`GET /api/v1/external/aop/items/{aop_item_id}/status`. Raises RequestRefused 400 to 404."""
    _authorize(state, request)
    aop_item_id = request.params["aop_item_id"]
    if not is_object_id(aop_item_id):
        raise RequestRefused(400, "Invalid aop_item_id format")
    document = state.items.read_status(aop_item_id)
    state.ledger.record_status_read(document["aop_item_id"])
    return json_reply(200, document)


def _authorize(state: EmulatorState, request: Request) -> None:
    """Raises RequestRefused 401 or 403."""
    scopes = state.tokens.verify(request.headers.get("authorization"))
    if EXECUTE_SCOPE not in scopes:
        raise RequestRefused(403, f"Token is missing the required scope {EXECUTE_SCOPE}")


def _basic_credentials(authorization: str) -> tuple[str, str]:
    """Client id and secret. Raises RequestRefused 401: no Basic authentication, or garbled."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise RequestRefused(
                401, "Client authentication (Basic) is required", headers=_BASIC_CHALLENGE
            )
        decoded = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise RequestRefused(
            401, "Client authentication cannot be decoded", headers=_BASIC_CHALLENGE
        ) from exc
    client_id, _, client_secret = decoded.partition(":")
    return client_id, client_secret


def _is_same(given: tuple[str, str], expected: tuple[str, str]) -> bool:
    """Compares in constant time, and the second part even if the first differs."""
    is_same_name = hmac.compare_digest(_as_bytes(given[0]), _as_bytes(expected[0]))
    is_same_secret = hmac.compare_digest(_as_bytes(given[1]), _as_bytes(expected[1]))
    return is_same_name and is_same_secret


def _as_bytes(text: str) -> bytes:
    """JSON can carry lone surrogates, which plain UTF-8 refuses."""
    return text.encode("utf-8", "surrogatepass")
