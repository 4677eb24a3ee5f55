"""What of the words in a caller's URL may be said back and written down.

A credential gets into a URL by mistake: where an id belongs, the key was pasted. Neither an answer
nor a log line repeats what may be one. Ids of ours and short names are repeated, since whoever
mistyped one needs to see it. Not here: what a URL means (`api`).
"""

from __future__ import annotations

import re

LONGEST_SHOWN = 64
LONGEST_MIXED = 23
"""Characters of a name with digits, or with small letters and capitals. A random text that is
shorter has hardly 128 bits; a name that is longer is seldom so mixed."""

HIDDEN = "***"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_OUR_ID = re.compile(r"(act|run|wait|call|cmt)_[0-9A-HJKMNP-TV-Z]{26}(_[1-9][0-9]{0,3}){0,2}")
_MIXED = re.compile(r"[0-9]|[a-z].*[A-Z]|[A-Z].*[a-z]")


def is_our_id(text: str) -> bool:
    """Whether it has the form of an id that we give out: of an activity, a run, a wait..."""
    return _OUR_ID.fullmatch(text) is not None


def shown_name(text: str) -> str:
    """The text itself, or `***` for what may be a credential or is no name at all."""
    if is_our_id(text):
        return text
    if len(text) > LONGEST_SHOWN or _NAME.fullmatch(text) is None:
        return HIDDEN
    return HIDDEN if len(text) > LONGEST_MIXED and _MIXED.search(text) else text


def shown_path(path: str) -> str:
    """A path with each of its parts as `shown_name` has it."""
    return "/".join(shown_name(part) if part else part for part in path.split("/"))
