"""The pages of clients: the code of ``testbed connect``, run; verification is on in each."""

import contextlib
import queue
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509

from testbed.client_setup.clients import CLIENTS, render, snippet
from testbed.library import MqBroker
from testbed.pki.certificate import Certificate, truststore_p12
from tests.support import client_pages, client_programs
from tests.support.authority import shared
from tests.support.tls_servers import Pki

# Compilers for minutes, or none in Debian.
NOT_RUN = {"lapin", "rabbitmq.client", "rabbitmqadmin"}
PROGRAMS = [name for name in CLIENTS if name not in NOT_RUN]
IN_EACH_PUSH = {name for name in PROGRAMS if CLIENTS[name].language == "py"} | {"curl"}
NAMES = [
    name
    if name in IN_EACH_PUSH
    else pytest.param(name, marks=[pytest.mark.nightly("clients of other languages than Python")])
    for name in PROGRAMS
]
# As the page says; there is no option.
OF_ANY_HOST = {"perf-test"}
# What a program prints that has done its work, if that is not the message.
PRINTED = {"curl": "testbed", "perf-test": "sending rate avg"}


def test_each_client_has_its_code_on_a_page() -> None:
    assert client_pages.sections().keys() == CLIENTS.keys()
    for name, client in CLIENTS.items():
        assert client_pages.code(name) == render(client, client_pages.values(client)), name
        before, after = client_pages.prose(name)
        assert before.count("`") % 2 == after.count("`") % 2 == 0, name


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a folder for each language, in which its libraries are installed once."""
    languages = {client.language for client in CLIENTS.values()}
    return {language: tmp_path_factory.mktemp(language) for language in languages}


@pytest.mark.containers
@pytest.mark.parametrize("name", NAMES)
def test_a_message_goes_there_and_back(
    name: str, rabbitmq_broker: MqBroker, activemq_broker: MqBroker, folders: dict[str, Path]
) -> None:
    client = CLIENTS[name]
    broker = rabbitmq_broker if client.protocol in ("amqp", "management") else activemq_broker
    stored = broker.testbed.brokers.peek(broker.broker_id)
    code = snippet(name, stored, broker.ca_file.parent)
    status, output = client_programs.run(name, code, folders[client.language])
    assert status == 0, output
    assert PRINTED.get(name, "hello") in output


@dataclass
class Listener:
    """A TLS listener of 127.0.0.1; ``trusted`` has whether each client went on to say something."""

    context: ssl.SSLContext
    trusted: "queue.Queue[bool]" = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                arguments = (connection, self.trusted)
                threading.Thread(target=self._answer, args=arguments, daemon=True).start()

    def _answer(self, connection: socket.socket, outcomes: "queue.Queue[bool]") -> None:
        connection.settimeout(60)
        trusted = False
        with connection, contextlib.suppress(OSError):
            trusted = bool(self.context.wrap_socket(connection, server_side=True).recv(100))
        outcomes.put(trusted)


@dataclass(frozen=True)
class Offered:
    """Listeners with a sound certificate, and with one for another host; folders to trust."""

    sound: Listener
    wrong_host: Listener
    authority: Path
    stranger: Path


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[Offered]:
    folder, stranger = (tmp_path_factory.mktemp(name) for name in ("authority", "stranger"))
    authority = shared()
    authority.write_ca(folder / "ca.pem")
    shutil.copy(pki.ca, stranger / "ca.pem")
    unknown = x509.load_pem_x509_certificate(pki.ca.read_bytes())
    (stranger / "truststore.p12").write_bytes(truststore_p12(unknown, "changeit"))
    certificates = authority.issue(names=["localhost"]), authority.issue_bad("wrong-host")
    sound, wrong_host = (Listener(context(one, folder)) for one in certificates)
    yield Offered(sound, wrong_host, folder, stranger)
    sound.close()
    wrong_host.close()


def context(certificate: Certificate, folder: Path) -> ssl.SSLContext:
    """Return a server's context with the brokers' version of TLS."""
    written = certificate.write(folder / certificate.profile.name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(written.chain, written.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.nightly("celery's refusals, which it tries again"))
        if name == "celery"
        else name
        for name in NAMES
    ],
)
def test_an_unknown_authority_and_another_host_are_refused(
    name: str, offered: Offered, folders: dict[str, Path]
) -> None:
    client = CLIENTS[name]
    folder = folders[client.language]

    def code(listener: Listener, trusted: Path) -> str:
        return render(client, client_pages.values(client, port=listener.port, folder=trusted))

    def trusts(listener: Listener, trusted: Path) -> bool:
        listener.trusted = queue.Queue()
        with client_programs.start(name, code(listener, trusted), folder):
            return listener.trusted.get(timeout=120)

    assert trusts(offered.sound, offered.authority), "control"
    assert trusts(offered.wrong_host, offered.authority) == (name in OF_ANY_HOST)
    assert not trusts(offered.sound, offered.stranger)
    _, output = client_programs.run(name, code(offered.sound, offered.stranger), folder)
    assert client_pages.error(name) in output, "as the page says"
