"""Answers in pages: a part of a list, and an opaque marker for the rest.

A marker holds a place in the order, so that nothing that is removed meanwhile invalidates it, and a
digest of the request that it belongs to.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from testbed.documented.key_listings import PAGES
from testbed.kms import refusals
from testbed.kms.call import KmsCall

_DIGEST = 12  # bytes


def page(call: KmsCall, member: str, items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """Return the requested part of a list as ``member``.

    Each item comes with its place in the order: a string, a number or a tuple of these. Raises
    ``InvalidMarkerException`` for a marker that no answer to this request had.
    """
    rest = sorted(items, key=lambda item: _sortable(item[0]))
    if "Marker" in call.parameters:
        after = _place(call)
        rest = [item for item in rest if _sortable(item[0]) > after]
    usual, most = PAGES[call.operation]
    limit = min(call.parameters.get("Limit", usual), most)
    answer = {member: [item for _, item in rest[:limit]], "Truncated": len(rest) > limit}
    return {**answer, "NextMarker": _marker(call, rest[limit - 1][0])} if rest[limit:] else answer


def _sortable(place: Any) -> list[Any]:
    return list(place) if isinstance(place, list | tuple) else [place]


def _marker(call: KmsCall, place: Any) -> str:
    text = json.dumps(_sortable(place)).encode()
    return base64.urlsafe_b64encode(_digest(call, text) + text).decode()


def _place(call: KmsCall) -> list[Any]:
    try:
        content = base64.urlsafe_b64decode(call.parameters["Marker"].encode())
    except ValueError:
        content = b""
    digest, text = content[:_DIGEST], content[_DIGEST:]
    if not text or digest != _digest(call, text):
        raise refusals.refusal("InvalidMarkerException")
    place: list[Any] = json.loads(text)
    return place


def _digest(call: KmsCall, text: bytes) -> bytes:
    """Return what a marker is recognised by: nobody makes one up by accident."""
    about = {
        name: item for name, item in call.parameters.items() if name not in ("Marker", "Limit")
    }
    request = (call.operation, call.caller.account, call.caller.region, sorted(about.items()))
    return hashlib.sha256(repr(request).encode() + text).digest()[:_DIGEST]
