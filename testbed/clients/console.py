"""The consoles' HTTP APIs: RabbitMQ's management interface, and Jolokia of ActiveMQ's console."""

import base64
import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from testbed.clients.base import Address
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized

_TIMEOUT = 30.0
_JOLOKIA = "/api/jolokia/"


class Console:
    """A login at a console over HTTPS. Methods raise ``ClientError``."""

    def __init__(self, address: Address, timeout: float = _TIMEOUT) -> None:
        """Take the address of a broker's ``management`` or ``console``; nothing is sent yet.

        ``timeout`` is in seconds, for each answer.
        """
        self._address, self._timeout = address, timeout
        user = f"{address.username}:{address.password}".encode()
        self._headers = {
            "Authorization": f"Basic {base64.b64encode(user).decode()}",
            "Content-Type": "application/json",
            "Origin": f"https://{address.host}",  # Jolokia answers none without
        }

    def get(self, path: str) -> Any:
        """Return the document behind a path, e.g. ``/api/vhosts``."""
        return json.loads(self.request("GET", path))

    def jolokia(self, **parameters: Any) -> Any:
        """Return the value of a Jolokia request; None where no MBean has the name."""
        answer = json.loads(self.request("POST", _JOLOKIA, parameters))
        if answer["status"] == http.HTTPStatus.NOT_FOUND:
            return None
        if answer["status"] != http.HTTPStatus.OK:
            raise ClientError(f"Jolokia answers {answer['status']}: {answer.get('error', '')}")
        return answer["value"]

    @contextmanager
    def temporary(self, documents: Mapping[str, object]) -> Iterator[None]:
        """Put each document behind its path for the length of a ``with`` block.

        What was put is removed again, also when a later one cannot be put or removed.
        """
        with ExitStack() as undo:
            for path, document in documents.items():
                self.request("PUT", path, document)
                undo.callback(self.request, "DELETE", path)
            yield

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """Send a request and return the answer's body."""
        context = ssl.create_default_context(cafile=str(self._address.ca_file))
        connection = http.client.HTTPSConnection(
            self._address.host, self._address.port, context=context, timeout=self._timeout
        )
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, self._headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionRefused(f"the console does not answer: {error}") from error
        finally:
            connection.close()
        if response.status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            raise NotAuthorized(f"the console refuses the login of {self._address.username}")
        if response.status >= http.HTTPStatus.MULTIPLE_CHOICES:
            raise ClientError(
                f"the console answers HTTP {response.status}: {text[:200].decode(errors='replace')}"
            )
        return text
