"""What a person does next after a refusal, by the path that was asked for. Not here: the wire."""


def where_it_stands(path: str) -> str:
    """After a conflict."""
    _, _, collection, identifier, *_ = (*path.split("/"), "", "", "")
    if identifier and collection in ("activities", "runs"):
        return f"See where it stands: agentruns show {identifier}"
    return "Settle what is named above, then repeat the command."


def where_to_look(path: str) -> str:
    """After what was not found."""
    if path.startswith("/v1/connections/"):
        return "See `agentruns connection list`; store one with `agentruns connect leena NAME`."
    if path.startswith("/v1/skills/"):
        return "See `agentruns skill list`."
    if path.startswith("/v1/agents/") and "/keys/" in path:
        return "See `agentruns agent key list ROLE`."
    if path.startswith(("/v1/approvals/", "/v1/human-tasks/")):
        return "See `agentruns inbox`; a review is decided, a blocker resolved."
    if path.startswith("/v1/agents/"):
        return "See `agentruns agent list`."
    return "See `agentruns list`; an id of another tenant reads as not found."
