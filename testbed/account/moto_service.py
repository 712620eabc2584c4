"""How a service of moto is called within the process, by its class of responses."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from moto.core.request import Request

from testbed.account.moto_backends import Message


def respond(responses: Any, message: Message, account: str) -> tuple[int, Mapping[str, str], str]:
    """Let moto answer in the name of an account, whose own backend is in place."""
    headers = {
        **message.headers,
        "Host": urlsplit(message.url).netloc,
        "x-moto-account-id": account,
    }
    request = Request.from_primitives(message.method, message.url, headers, message.body)
    status, sent, body = responses.dispatch(request, message.url, request.headers)
    return int(status), sent, body.decode() if isinstance(body, bytes) else body
