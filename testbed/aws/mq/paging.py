"""Answers in pages: so many of a list, and a token for the rest."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from testbed.aws.mq import refusals

DEFAULT = 100
T = TypeVar("T")


def page(
    items: Sequence[T], parameters: Mapping[str, Any], of: str, default: int = DEFAULT
) -> tuple[list[T], str | None]:
    """The page that ``parameters`` ask for, and the token for the next, None on the last. ``of`` names the list.

    Raises ``BadRequestException`` for a token that is of another list, or of none.
    """
    start = _start(parameters["NextToken"], of) if "NextToken" in parameters else 0
    end = start + parameters.get("MaxResults", default)
    return list(items[start:end]), _token(end, of) if end < len(items) else None


def _token(start: int, of: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([of, start]).encode()).decode()


def _start(token: str, of: str) -> int:
    try:
        which, start = json.loads(base64.urlsafe_b64decode(token.encode()))
        if which == of and isinstance(start, int) and start >= 0:
            return start
    except (ValueError, TypeError, RecursionError):
        pass
    raise refusals.bad_token()
