"""Snapshots as HTML: each panel by itself, for the page's updates, and the page around them."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from testbed.arn import Arn
from testbed.broker import log_lines, node_container
from testbed.client_setup.clients import CLIENTS, snippet
from testbed.console.snapshot import Snapshot
from testbed.documented.engines import DEPLOYMENT_MODES, VERSIONS
from testbed.documented.instance_types import DEFAULT_INSTANCE_TYPE
from testbed.errors import NotFoundException, TestbedError
from testbed.pki.authority import TRUSTSTORE_PASSWORD
from testbed.report import graph, timeline
from testbed.testbed import Testbed

if TYPE_CHECKING:
    from jinja2 import Environment

# What a page may show of the clients' environment: no secret.
_SHOWN = ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_DEFAULT_REGION")
_PYTHON = """\
import boto3
mq = boto3.client(
    "mq",
    endpoint_url="{AWS_ENDPOINT_URL}",
    verify={authority},
    region_name="{AWS_DEFAULT_REGION}",{credentials}
)"""
# Any access key does, unless known keys are required.
_ANY_KEY = """
    aws_access_key_id="test",
    aws_secret_access_key="test","""
_NO_PASSWORD = "PASSWORD"  # noqa: S105 - it stands for one
PANELS = ("summary", "brokers", "keys", "graph", "trail", "run")
_LOG_LINES = 60


@cache
def _environment() -> "Environment":
    from testbed.report import pages  # not before the first page

    environment = pages.environment("testbed.console", "pages")
    environment.filters["key_id"] = lambda arn: Arn.parse(arn).resource_id
    return environment


class Renderer:
    """Renders one testbed's snapshots. ``environment`` is what clients of the endpoint set."""

    def __init__(self, testbed: Testbed, environment: Mapping[str, str]) -> None:
        self._testbed, self._environment = testbed, environment

    def panels(self, shot: Snapshot, *, buttons: bool) -> dict[str, str]:
        """Return the HTML of each panel but the logs, with ``buttons`` that make calls or not."""
        lines = shot.run.timelines if shot.run else ()
        values = {
            "shot": shot,
            "buttons": buttons,
            "sketch": graph.sketch(shot.chains),
            "timelines": [timeline.Sketch(line) for line in lines],
        }
        return {name: _render(f"{name}.html", values) for name in PANELS}

    def logs(self, broker: str) -> str:
        """Return the last lines of a broker's nodes, by its id; a hint if none is named."""
        if not broker:
            return _render("logs.html", {"broker": None, "nodes": {}})
        try:
            known = self._testbed.brokers.peek(broker)
        except NotFoundException as error:
            return _render("logs.html", {"broker": None, "nodes": {}, "message": str(error)})
        nodes = {}
        for node in known.nodes:
            text = node_container.log(self._testbed.containers, known, node)
            text = text or self._testbed.brokers.kept_log(known.broker_id, node.name)
            lines = log_lines.uncoloured(text).splitlines()[-_LOG_LINES:]
            nodes[node.name] = "\n".join(lines)
        return _render("logs.html", {"broker": known.broker_name, "nodes": nodes})

    def code(self, broker: str, client: str) -> str:
        """Return the form that asks for a client's code, and the code if both are named.

        The password is replaced by a word: no page shows one.
        """
        brokers = self._testbed.brokers.peek_all()
        values: dict[str, Any] = {"chosen": broker, "client": client, "clients": tuple(CLIENTS)}
        values |= {
            "brokers": [(broker.broker_id, broker.broker_name) for broker in brokers],
            "code": "",
        }
        if broker and client:
            try:
                known = self._testbed.brokers.peek(broker)
                user = replace(known.users[0], password=_NO_PASSWORD)
                folder = self._testbed.ca_file.parent
                values["code"] = snippet(client, replace(known, users=(user,)), folder)
            except TestbedError as error:
                values["message"] = f"{error} {error.hint}".strip()
        return _render("code.html", values)

    def page(self, panels: Mapping[str, str], token: str) -> str:
        """Return the whole page with these panels; calls carry ``token``, empty where none are."""
        shown = {name: self._environment[name] for name in _SHOWN}
        public = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"} if token else {}
        lines = (f"export {name}={shlex.quote(text)}" for name, text in {**shown, **public}.items())
        values = {
            "panels": panels,
            "token": token,
            "truststore_password": TRUSTSTORE_PASSWORD,
            "instance_types": DEFAULT_INSTANCE_TYPE,
            "lines": "\n".join(lines),
            "python": _PYTHON.format(
                **shown,
                authority=json.dumps(shown["AWS_CA_BUNDLE"], ensure_ascii=False),
                credentials=_ANY_KEY if token else "",
            ),
            "folder": shlex.quote(str(self._testbed.state.folder)),
            "region": self._testbed.region,
            "versions": VERSIONS,
            "modes": DEPLOYMENT_MODES,
        }
        return _render("page.html", values)


def _render(template: str, values: Mapping[str, Any]) -> str:
    return _environment().get_template(template).render({"message": "", **values})
