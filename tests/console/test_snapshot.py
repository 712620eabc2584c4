"""What the console shows of brokers and keys, and what it never does."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.broker.model import Broker, Failure, Grant, Pending
from testbed.console import render, snapshot
from testbed.console.snapshot import Snapshot
from testbed.documented.engines import ActionRequired
from testbed.engines.base import User
from testbed.kms import grant
from testbed.kms.base import SERVICE_ACCOUNT, Kms
from testbed.kms.key import DAY, Key
from testbed.kms.ledger import Ledger
from testbed.testbed import Testbed
from tests.support import brokers_offline
from tests.support.brokers_offline import KEY, request
from tests.support.console import store

GRANT = "a" * 64


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with brokers_offline.offline(tmp_path / ".testbed") as testbed:
        yield testbed


def take(testbed: Testbed, localstack: Kms | None = None) -> Snapshot:
    ledger = Ledger(testbed.state)
    try:
        return snapshot.take(testbed, ledger, localstack or testbed.kms)
    finally:
        ledger.close()


def amend(testbed: Testbed, broker: Broker, **changes: object) -> None:
    testbed.brokers.amend(broker.broker_id, lambda stored: replace(stored, **changes))  # type: ignore[arg-type]


def test_a_broker_shows_what_waits_and_what_is_required(testbed: Testbed) -> None:
    broker = brokers_offline.add(testbed, request("ACTIVEMQ"))
    [node] = broker.nodes
    amend(
        testbed,
        broker,
        actions_required=(ActionRequired("INVALID_KMS_KEY", "The key is disabled."),),
        pending=Pending(
            users=(*broker.users, User("late", "unspoken-secret-1")), engine_version="5.18"
        ),
        nodes=(replace(node, failure=Failure("The volume does not attach.", 0.0)),),
    )
    [view] = take(testbed).brokers
    assert view.actions == (("INVALID_KMS_KEY", "The key is disabled."),)
    assert view.pending == ("engine version 5.18", "create user late")
    assert [(n.container, n.failure) for n in view.nodes] == [
        ("missing", "The volume does not attach.")
    ]


def test_a_key_shows_its_state_and_when_that_takes_effect(testbed: Testbed) -> None:
    now = testbed.clock.now()
    key = Key(KEY, "{}")
    for changed, state, usable, note in (
        (key, "Enabled", True, ""),
        (key.disabled(now, 3600), "Disabled", True, "still usable until"),
        (key.disabled(now - 7200, 3600), "Disabled", False, ""),
        (key.scheduled(now - 7 * DAY + 60, 0, 7), "PendingDeletion", False, "deleted at"),
    ):
        store(testbed, changed)
        [view] = take(testbed).keys
        assert (view.state, view.usable) == (state, usable)
        assert view.note.startswith(note)
        assert bool(view.note) == bool(note)


def test_a_key_shows_what_it_would_break(testbed: Testbed) -> None:
    store(testbed, Key(KEY, "{}"))
    assert "no broker uses it" in take(testbed).keys[0].breaks[0]
    brokers_offline.add(testbed, request(name="on-ebs"))
    brokers_offline.add(testbed, replace(request("ACTIVEMQ", "on-efs"), storage_type="EFS"))
    first, second = take(testbed).keys[0].breaks
    assert first.startswith("on-ebs: CRITICAL_ACTION_REQUIRED")
    assert "until it loses a node" in first
    assert second.startswith("on-efs:")
    assert "it stops" in second


def test_keys_of_aws_are_told_from_the_customers(testbed: Testbed) -> None:
    owned = KEY.replace("000000000000", SERVICE_ACCOUNT).replace("1234abcd", "2234abcd")
    managed = KEY.replace("1234abcd", "3234abcd")
    store(
        testbed,
        Key(KEY, "{}", created=1),
        Key(owned, "{}", created=2),
        Key(managed, "{}", created=3).managed_by_service("mq"),
    )
    assert [(key.owner, key.own) for key in take(testbed).keys] == [
        ("customer managed", True),
        ("AWS owned", False),
        ("AWS managed (aws/mq)", False),
    ]


def test_a_chain_leads_from_the_key_to_the_broker_and_breaks_with_its_grant(
    testbed: Testbed,
) -> None:
    broker = brokers_offline.add(testbed, request(name="orders"))
    volume = broker.volumes[0].volume_id
    noted = Grant("ebs_grant", GRANT, volume)
    amend(testbed, broker, grants=(noted,))
    given = grant.Grant(
        GRANT, KEY, "mq.amazonaws.com", ("Decrypt",), "000000000000", created=0, starts=0
    )
    store(testbed, Key(KEY, "{}"), given)
    [chain] = take(testbed).chains
    assert chain.grant
    assert chain.service
    assert chain.broker
    assert (chain.grant.title, chain.grant.sound, chain.service.title) == ("ebs_grant", True, "mq")
    assert ([v.title for v in chain.volumes], chain.broker.title) == ([volume], "orders")
    store(testbed, replace(given, ends=testbed.clock.now() - 1))
    [chain] = take(testbed).chains
    assert chain.grant
    assert (chain.grant.detail, chain.grant.sound) == ("gone", False)


def test_no_panel_has_a_secret(testbed: Testbed) -> None:
    broker = brokers_offline.add(testbed, request("ACTIVEMQ"))
    pending = Pending(users=(User("late", "unspoken-secret-1"),))
    amend(testbed, broker, pending=pending, keystore_password="unspoken-2", cookie="unspoken-3")
    renderer = render.Renderer(
        testbed,
        {
            "AWS_ENDPOINT_URL": "https://localhost:1",
            "AWS_CA_BUNDLE": str(testbed.ca_file),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_SECRET_ACCESS_KEY": "unspoken-4",
        },
    )
    panels = renderer.panels(take(testbed), buttons=True)
    page = renderer.page(
        {
            **panels,
            "logs": renderer.logs(broker.broker_id),
            "code": renderer.code(broker.broker_id, "stomp.py"),
        },
        "a-token",
    )
    assert "offline" in page
    assert "PASSWORD" in page
    for secret in (*testbed.brokers.peek(broker.broker_id).secrets, "unspoken"):
        assert secret not in page
    authority = testbed.state.get("settings", "authority")
    assert authority
    assert "PRIVATE" not in page


def test_what_users_have_named_is_escaped(testbed: Testbed) -> None:
    broker = brokers_offline.add(testbed, request("ACTIVEMQ"))
    amend(testbed, broker, actions_required=(ActionRequired("", "<img src=x onerror=alert(1)>"),))
    renderer = render.Renderer(testbed, {})
    assert "<img" not in renderer.panels(take(testbed), buttons=True)["brokers"]
    assert "<b>" not in renderer.logs("<b>")


def test_the_code_of_a_client_is_filled_in_but_for_the_password(testbed: Testbed) -> None:
    broker = brokers_offline.add(testbed, request("ACTIVEMQ"))
    renderer = render.Renderer(testbed, {})
    port = str(broker.endpoint("stomp").port)
    code = renderer.code(broker.broker_id, "stomp.py")
    assert port in code
    assert broker.users[0].username in code
    assert "offline does not speak amqp" in renderer.code(broker.broker_id, "pika")
    assert port not in renderer.code("", "")
    assert "<b>" not in renderer.code("<b>", "<b>")


def test_what_users_did_is_shown_without_what_services_did(testbed: Testbed) -> None:
    brokers_offline.add(testbed, request())
    testbed.brokers.list()
    testbed.services.recorder.service_event("RotateKey", KEY)
    shot = take(testbed)
    assert [line.event for line in shot.trail] == ["ListBrokers"]
    assert [line.event for line in shot.all_trail] == ["RotateKey", "ListBrokers"]
