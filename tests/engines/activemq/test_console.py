"""The console of a real broker: each user acts as itself, and has the console's group."""

import base64
import dataclasses
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from testbed.documented.activemq_elements import CONSOLE_GROUP, NAMESPACE
from testbed.engines.base import User
from tests.support.activemq_node import Node, activemq, spec

pytestmark = pytest.mark.containers

# The first of the console's users may do everything; the second has no group of its own.
ADMIN = User("admin", "admins-password-1", groups=("admins",))
EVE = User("eve", "eves-password-: 1")


def entry(kind: str, pattern: str, group: str) -> str:
    return (
        f'<authorizationEntry {kind}="{pattern}" read="{group}" write="{group}" admin="{group}"/>'
    )


ENTRIES = "".join(
    [
        entry("queue", "private.&gt;", "admins"),
        entry("queue", "console.&gt;", CONSOLE_GROUP),
        entry("topic", "&gt;", CONSOLE_GROUP),
    ]
)
CONFIGURATION = f"""\
<broker xmlns="{NAMESPACE}">
  <plugins><authorizationPlugin><map><authorizationMap>
    <authorizationEntries>{ENTRIES}</authorizationEntries>
  </authorizationMap></map></authorizationPlugin></plugins>
</broker>"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    configured = dataclasses.replace(spec(users=(ADMIN, EVE)), configuration=CONFIGURATION)
    with activemq(tmp_path_factory.mktemp("console"), configured) as node:
        yield node


@dataclass
class Browser:
    """A browser at the console; with its cookies, another user can log in."""

    node: Node
    user: User

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=str(self.node.ca_file))
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), urllib.request.HTTPCookieProcessor()
        )

    def open(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        credentials = base64.b64encode(f"{self.user.username}:{self.user.password}".encode())
        port = self.node.addresses["console"][1]
        request = urllib.request.Request(
            f"https://localhost:{port}/admin/{path}",
            urllib.parse.urlencode(form).encode() if form else None,
            {"Authorization": f"Basic {credentials.decode()}"},
        )
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def send(self, queue: str) -> None:
        """Send a message. The page says nothing of a refusal."""
        _, page = self.open("send.jsp")
        secret = re.search(r'name="secret" value="([^"]+)"', page)
        assert secret
        form = {
            "secret": secret[1],
            "JMSDestination": queue,
            "JMSDestinationType": "queue",
            "JMSText": "from the console",
            "JMSMessageCount": "1",
        }
        self.open("sendMessage.action", form)

    def pending(self, queue: str) -> int:
        """Return the queue's number of messages, as every user of the console sees it."""
        text = re.sub(r"<[^>]+>", " ", self.open("queues.jsp")[1])
        row = re.search(rf"{re.escape(queue)}\s+(\d+)", text)
        return int(row[1]) if row else 0

    def browses(self, queue: str) -> bool:
        return self.open(f"browse.jsp?JMSDestination={queue}")[0] == 200


def test_each_console_user_acts_as_itself(node: Node) -> None:
    admin, eve = Browser(node, ADMIN), Browser(node, EVE)
    admin.send("private.orders")
    assert admin.pending("private.orders") == 1
    eve.send("private.orders")
    assert admin.pending("private.orders") == 1, "not as the administrator, who was first"
    assert not eve.browses("private.orders")
    admin.send("private.orders")
    assert admin.pending("private.orders") == 2, "nor the other way around"
    assert admin.browses("private.orders")


def test_a_console_user_without_a_group_has_the_consoles(node: Node) -> None:
    eve = Browser(node, EVE)
    eve.send("console.orders")
    assert eve.pending("console.orders") == 1
    assert eve.browses("console.orders")


def test_a_session_is_not_carried_over_to_another_user(node: Node) -> None:
    browser = Browser(node, ADMIN)
    browser.send("private.session")
    browser.user = EVE
    browser.send("private.session")
    browser.send("console.session")
    assert browser.pending("console.session") == 1
    assert browser.pending("private.session") == 1
