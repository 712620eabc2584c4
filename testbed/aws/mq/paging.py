"""Answers in pages: a part of a list, and a token for the rest."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from testbed.broker import refusals

DEFAULT = 100
T = TypeVar("T")


def page(
    items: Sequence[T], parameters: Mapping[str, Any], listed: str, default: int = DEFAULT
) -> tuple[list[T], str | None]:
    """Return the requested page, and the token for the next one, None on the last.

    ``listed`` names the list. Raises ``BadRequestException`` for a token of another list.
    """
    start = _start(parameters["NextToken"], listed) if "NextToken" in parameters else 0
    end = start + parameters.get("MaxResults", default)
    return list(items[start:end]), _token(end, listed) if end < len(items) else None


def _token(start: int, listed: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([listed, start]).encode()).decode()


def _start(token: str, listed: str) -> int:
    try:
        name, start = json.loads(base64.b64decode(token, b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        raise refusals.bad_token() from None
    if name == listed and type(start) is int and start >= 0:
        return start
    raise refusals.bad_token()
