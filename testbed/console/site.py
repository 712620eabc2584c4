"""The console's addresses, and what keeps other pages and other hosts out of them.

A page of another site could send requests to 127.0.0.1 from the user's browser, or give its own
name the address 127.0.0.1. So the Host has to be the endpoint's, and the Origin, where there is
one, the same. Nothing from elsewhere is loaded, and no page may frame the console. A call carries
the token of this process, which is in the console's page and in no cookie.
"""

import hmac
import json
import logging
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from testbed.account import known_keys
from testbed.console import last_run, snapshot
from testbed.console.calls import OPERATIONS, Calls, Unanswered
from testbed.console.render import Renderer
from testbed.documented import regions
from testbed.errors import TestbedError
from testbed.https.server import Request, Response
from testbed.kms.ledger import Ledger
from testbed.kms.localstack import LocalStackKms
from testbed.pki.authority import TRUSTSTORE
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

PATH = "/console"
_PAGES = Path(__file__).parent / "pages"
_REPORT = Path(__file__).parents[1] / "report"
_PATIENCE = 1.0  # seconds for LocalStack to answer
_FRESH = 1.0  # seconds for which a snapshot is shown to all
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
_JSON = "application/json"
_HTTPS = 443
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_FILES = {
    "common.css": (_REPORT, "text/css"),
    "console.css": (_PAGES, "text/css"),
    "console.js": (_PAGES, "text/javascript"),
    "icon.svg": (_PAGES, "image/svg+xml"),
}


class Refused(Exception):
    """A request is refused in HTTP's terms; ``status`` is HTTP's."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


class Console:
    """The console of ``testbed``, served at ``port``.

    ``environment`` and ``connection`` are what clients of the endpoint set; the secret access key
    is shown to nobody. Where known keys are required the console only reads, since whoever opens
    it is not known.
    """

    def __init__(
        self,
        testbed: Testbed,
        port: int,
        environment: Mapping[str, str],
        connection: Mapping[str, str],
    ) -> None:
        self._testbed, self._token = testbed, secrets.token_urlsafe(32)
        self._calls = Calls(connection)
        # Browsers leave HTTPS's own port out.
        suffixes = ("", f":{port}") if port == _HTTPS else (f":{port}",)
        self._hosts = {f"{name}{end}" for name in ("localhost", "127.0.0.1") for end in suffixes}
        self._ledger = Ledger(testbed.state)
        self._localstack = LocalStackKms(
            testbed.kms_container.url, connect_timeout=_PATIENCE, read_timeout=_PATIENCE
        )
        self._renderer = Renderer(testbed, environment)
        self._lock = threading.Lock()
        self._panels: dict[str, str] = {}
        self._taken = -_FRESH
        self._gets: Mapping[str, Callable[[Request], Response]] = {
            "": self._page,
            "/panels": self._poll,
            "/ca.pem": lambda _: self._trust("ca.pem", "application/x-pem-file"),
            f"/{TRUSTSTORE}": lambda _: self._trust(TRUSTSTORE, "application/x-pkcs12"),
            **{f"/{name}": partial(self._written, name) for name in last_run.PAGES},
        }

    def answers(self, request: Request) -> bool:
        """Return whether the request is the console's: not signed, and to one of its addresses.

        A browser that opens the endpoint itself is sent here.
        """
        if request.header("authorization"):
            return False
        if request.path == "/":
            return request.method in ("GET", "HEAD") and "text/html" in request.header("accept")
        return request.path == PATH or request.path.startswith(f"{PATH}/")

    def answer(self, request: Request) -> Response:
        """Answer the request. Never raises; own faults are logged as errors."""
        try:
            response = self._answer(request)
        except Refused as refused:
            response = _text(refused.status, refused.message, refused.headers)
        except TestbedError as error:
            logger.error("%s: %s", request.path[:200], error)  # noqa: TRY400 - no trace: secrets
            response = _text(500, f"{error} {error.hint}".strip())
        except Exception as error:  # noqa: BLE001 - the console's own fault must not end it
            trace = "".join(traceback.format_tb(error.__traceback__))
            logger.error("%s: %s\n%s", request.path[:200], type(error).__name__, trace)  # noqa: TRY400
            response = _text(500, "The console failed; the endpoint's log says where.")
        return Response(response.status, response.body, {**_HEADERS, **response.headers})

    def _answer(self, request: Request) -> Response:
        self._check_sender(request)
        if request.path in ("/", f"{PATH}/"):
            return Response(303, b"", {"Location": PATH})
        name = request.path.removeprefix(PATH)
        if name == "/call":
            return self._call(request)
        if name not in self._gets and name[1:] not in _FILES:
            raise Refused(404, f"The console has no {request.path[:200]}.")
        if request.method not in ("GET", "HEAD"):
            raise Refused(405, "The console is read with GET.", Allow="GET, HEAD")
        return self._gets[name](request) if name in self._gets else _file(name[1:])

    def _check_sender(self, request: Request) -> None:
        host, origin = request.header("host").lower(), request.header("origin").lower()
        if host not in self._hosts:
            raise Refused(421, "The console is at localhost and 127.0.0.1 only.")
        if origin and origin != f"https://{host}":
            raise Refused(403, "Another site's page may not use the console.")
        # Browsers say where a request comes from; a link from elsewhere only opens the page.
        elsewhere = request.header("sec-fetch-site") in ("cross-site", "same-site")
        if elsewhere and request.header("sec-fetch-mode") != "navigate":
            raise Refused(403, "Another site's page may not use the console.")

    def _page(self, request: Request) -> Response:
        token = "" if self._only_reads else self._token
        page = self._renderer.page({**self._current(), **self._chosen(request)}, token)
        return Response(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})

    def _poll(self, request: Request) -> Response:
        body = json.dumps({**self._current(), **self._chosen(request)}).encode()
        return Response(200, body, {"Content-Type": _JSON})

    def _current(self) -> Mapping[str, str]:
        """Return the panels, rendered once for everyone who asks within a second."""
        with self._lock:
            if time.monotonic() - self._taken >= _FRESH:
                shot = snapshot.take(self._testbed, self._ledger, self._localstack)
                self._panels = self._renderer.panels(shot, buttons=not self._only_reads)
                self._taken = time.monotonic()
            return self._panels

    @property
    def _only_reads(self) -> bool:
        return known_keys.required(self._testbed.state) is not None

    def _call(self, request: Request) -> Response:
        """Make the call of a button and return its outcome, whatever that is."""
        if request.method != "POST":
            raise Refused(405, "A call is made with POST.", Allow="POST")
        self._check_call(request)
        call = _parsed(request.body)
        try:
            outcome = self._calls.call(**call)
        except Unanswered as error:
            raise Refused(400, str(error)) from error
        with self._lock:
            self._taken = -_FRESH  # everyone sees what it changed
        return Response(200, json.dumps(asdict(outcome)).encode(), {"Content-Type": _JSON})

    def _check_call(self, request: Request) -> None:
        if self._only_reads:
            raise Refused(403, "This testbed requires known access keys: the console only reads.")
        if not request.header("origin"):
            raise Refused(403, "A call without an Origin is not the console's.")
        token = request.header("x-console-token")
        if not hmac.compare_digest(token.encode(errors="replace"), self._token.encode()):
            raise Refused(
                403, "The page is of an earlier process, or not the console's: reload it."
            )
        if request.header("content-type") != _JSON:
            raise Refused(415, f"A call is {_JSON}.")

    def _chosen(self, request: Request) -> dict[str, str]:
        """Return the panels that depend on what the address names."""
        logs, broker, client = (
            next(iter(request.query.get(name, ())), "") for name in ("logs", "broker", "client")
        )
        return {"logs": self._renderer.logs(logs), "code": self._renderer.code(broker, client)}

    def _trust(self, name: str, kind: str) -> Response:
        headers = {"Content-Type": kind, "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(200, self._testbed.ca_file.with_name(name).read_bytes(), headers)

    def _written(self, name: str, request: Request) -> Response:
        page = last_run.page(self._testbed.state.folder, name)
        if page is None:
            raise Refused(404, f"There is no {name}.")
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": _REPORT_POLICY,
        }
        return Response(200, page, headers)


def _parsed(body: bytes) -> dict[str, Any]:
    """Return operation, Region and parameters of a call. Raises ``Refused``."""
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        call = None
    if not isinstance(call, dict) or call.keys() != {"operation", "region", "parameters"}:
        raise Refused(400, "A call is a JSON object with operation, region and parameters.")
    if not isinstance(call["operation"], str) or call["operation"] not in OPERATIONS:
        raise Refused(400, f"The console calls {', '.join(OPERATIONS)}.")
    if not isinstance(call["region"], str) or not regions.exists(call["region"]):
        raise Refused(400, "AWS has no such Region.")
    if not isinstance(call["parameters"], dict):
        raise Refused(400, "Parameters are a JSON object.")
    return call


def _file(name: str) -> Response:
    folder, kind = _FILES[name]
    return Response(200, (folder / name).read_bytes(), {"Content-Type": kind})


def _text(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    kind = {"Content-Type": "text/plain; charset=utf-8"}
    return Response(status, f"{message}\n".encode(), {**kind, **(headers or {})})
