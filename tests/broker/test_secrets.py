"""No secret of a broker is visible to others; the same search finds planted ones."""

import base64
import io
import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.broker.model import Broker
from testbed.library import MqBroker
from testbed.runtime.cleanup import LABEL
from testbed.storage import volumes
from testbed.testbed import Testbed
from tests.support.broker_node import wait_for

pytestmark = pytest.mark.containers


@pytest.fixture(params=["rabbitmq_broker", "activemq_broker"])
def broker(request: pytest.FixtureRequest) -> MqBroker:
    broker: MqBroker = request.getfixturevalue(request.param)
    return broker


def visible(testbed: Testbed, container_id: str) -> dict[str, bytes]:
    """Return everything that is visible of the container from outside, by place."""
    inspected = testbed.containers.inspect(container_id)
    image = inspected["Image"]
    script = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; true"
    api: Any = testbed.containers.client.api  # without type hints
    places: dict[str, str | bytes] = {
        "docker inspect": json.dumps(inspected),
        "processes, from inside": testbed.containers.execute(container_id, ["sh", "-c", script])[1],
        "processes, from outside": b"".join(
            _read(path) for path in Path("/proc").glob("[0-9]*/environ")
        ),
        "command lines, from outside": b"".join(
            _read(path) for path in Path("/proc").glob("[0-9]*/cmdline")
        ),
        "docker logs": b"".join(testbed.containers.logs(container_id)),
        "the engine's own files": b"".join(_engines_files(testbed, container_id)),
        "image and its history": json.dumps([api.inspect_image(image), api.history(image)]),
    }
    return {
        place: text if isinstance(text, bytes) else text.encode() for place, text in places.items()
    }


def places_with(secret: bytes, places: dict[str, bytes]) -> set[str]:
    """Return the places that contain the secret, as it is or in a common encoding."""
    return {
        place for place, text in places.items() if any(form in text for form in _encodings(secret))
    }


def test_passwords_private_key_and_data_key_are_nowhere_to_be_seen(broker: MqBroker) -> None:
    testbed, stored = broker.testbed, broker.testbed.brokers.describe(broker.broker_id)
    node = stored.nodes[0]
    places = visible(testbed, node.container_id)
    assert all(places.values()), "every place has content to search"
    hidden = dict(_secrets(testbed, stored))
    seen_in = {name: places_with(secret, places) for name, secret in hidden.items()}
    assert seen_in == {name: set() for name in hidden}
    assert places_with(stored.broker_id.encode(), places), (
        "control: a value that is not secret is found"
    )


def test_the_data_key_is_in_no_file(broker: MqBroker) -> None:
    """The state folder has passwords and keys, for its owner alone; data keys only wrapped."""
    testbed, stored = broker.testbed, broker.testbed.brokers.describe(broker.broker_id)
    # By another process: closing a file of SQLite's in this one would release the locks of its
    # connections (https://www.sqlite.org/howtocorrupt.html, 2.2).
    planted = secrets.token_bytes(32)
    testbed.state.put("planted", "key", {"key": base64.b64encode(planted).decode()})
    files = {
        path.name: subprocess.run(["cat", path], check=False, stdout=subprocess.PIPE).stdout
        for path in testbed.state.folder.rglob("*")
        if path.is_file()
    }
    testbed.state.delete("planted", "key")
    names = testbed.containers.execute(
        stored.nodes[0].container_id, ["find", "/run/testbed", "-name", "volume.key"]
    )[1]
    data_key = dict(_secrets(testbed, stored))["data key"]
    assert places_with_half(data_key, files) == set()
    assert places_with_half(planted, files) & {"state.sqlite", "state.sqlite-wal"}, "control"
    assert names == b""
    assert {
        path.name: oct(path.stat().st_mode)
        for path in testbed.state.folder.rglob("*")
        if path.name != "ca.pem" and path.stat().st_mode & 0o077
    } == {}


def test_control_what_is_planted_is_found_in_every_place(
    testbed: Testbed, rabbitmq_broker: MqBroker
) -> None:
    planted = f"planted-{secrets.token_hex(12)}"
    image = testbed.brokers.describe(rabbitmq_broker.broker_id).image
    tag = f"testbed-test-{secrets.token_hex(4)}"
    recipe = io.BytesIO(f"FROM {image}\nENV PASSWORD={planted}\nENTRYPOINT []\n".encode())
    testbed.containers.client.images.build(fileobj=recipe, tag=tag, rm=True, forcerm=True)
    try:
        container = testbed.containers.client.containers.run(
            tag,
            ["sh", "-c", 'echo "$1"; sleep 300', "-", planted],
            detach=True,
            labels={LABEL: testbed.state.instance},
        )
        try:
            wait_for("its log", lambda: planted.encode() in container.logs())
            places = visible(testbed, container.id or "")
            assert places_with(planted.encode(), places) == set(places)
        finally:
            container.remove(force=True)
    finally:
        testbed.containers.client.images.remove(tag, force=True)


def places_with_half(secret: bytes, places: dict[str, bytes]) -> set[str]:
    """Return the places that contain either half, since SQLite splits long rows among pages."""
    halves = {
        half
        for form in _encodings(secret)
        for half in (form[: len(form) // 2], form[len(form) // 2 :])
    }
    return {place for place, text in places.items() if any(half in text for half in halves)}


def _encodings(secret: bytes) -> set[bytes]:
    return {
        secret,
        secret.hex().encode(),
        base64.b64encode(secret),
        json.dumps(secret.decode("latin1")).strip('"').encode(),
    }


def _secrets(testbed: Testbed, stored: Broker) -> Iterator[tuple[str, bytes]]:
    node = stored.nodes[0]
    yield "password", stored.users[0].password.encode()
    yield "keystore password", stored.keystore_password.encode()
    data_key = volumes.open_data_key(testbed.kms, node.volume)
    assert data_key is not None
    assert len(data_key) >= 32
    yield "data key", data_key
    document = testbed.state.get("certificate", stored.broker_id)
    assert document is not None
    lines = document["key"].splitlines()
    yield "private key, a line of it", lines[len(lines) // 2].encode()
    yield "private key", base64.b64decode("".join(lines[1:-1]))


def _engines_files(testbed: Testbed, container_id: str) -> Iterator[bytes]:
    """Yield the engine's own files on the container; its inspection if they are not here."""
    folder = Path(testbed.containers.client.info()["DockerRootDir"]) / "containers" / container_id
    if not folder.is_dir():
        yield json.dumps(testbed.containers.inspect(container_id)).encode() + b"".join(
            testbed.containers.logs(container_id)
        )
    for path in folder.rglob("*"):
        if path.is_file():
            yield _read(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # a process that has ended
        return b""
