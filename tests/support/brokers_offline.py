"""Amazon MQ without containers and without KMS, for what is decided before either is called."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from testbed.account.identities import Identities
from testbed.account.store import AccountStore
from testbed.broker import topology
from testbed.broker.encryption import BrokerKey
from testbed.broker.model import Broker
from testbed.broker.requests import CreateBroker
from testbed.broker.service import Brokers
from testbed.broker.store import BrokerStore
from testbed.documented.engines import DEFAULT_VERSION
from testbed.engines.base import User
from testbed.errors import KmsError
from testbed.kms.base import USER, Caller
from testbed.pki import Authority
from testbed.services import Services
from testbed.state.clock import Clock
from testbed.state.store import State
from testbed.testbed import Testbed
from testbed.trail.recording import Recorder
from testbed.trail.store import Trail
from tests.support.authority import shared

KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"

NO_CONTAINERS = SimpleNamespace(
    require_disk=lambda *_: None,
    instance="",
    has_volume=lambda _: True,
    find=lambda *_: [],
    remove_volume=lambda _: None,
    logs=lambda *_: [],
)


@dataclass
class Keys:
    """A KMS in which every key is in ``state``; ``calls`` are the requested operations.

    ``errors`` has the code with which an operation fails; "" stands for all others.
    """

    state: str = "Disabled"
    errors: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append(operation)
        if code := self.errors.get(operation, self.errors.get("", "")):
            raise KmsError("It fails.", code=code)
        if operation == "Decrypt":
            return {"Plaintext": b"data key"}
        if operation != "DescribeKey":
            raise KmsError("No keys here.", code="NotFoundException")
        metadata = {"Arn": KEY, "KeyState": self.state, "KeyManager": "CUSTOMER"}
        metadata |= {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"}
        return {"KeyMetadata": metadata}


@contextmanager
def offline(folder: Path, *, key_state: str = "Disabled") -> Iterator[Testbed]:
    """Return a testbed whose brokers can be planned, described and refused, but not started."""
    state = State(folder)
    clock, trail, kms = Clock(state), Trail(folder), Keys(key_state)
    authority = shared()
    document = state.get("settings", "authority") or authority.to_document()
    if document != authority.to_document():  # another process's
        authority = Authority.from_document(document)
    state.put("settings", "authority", document)
    authority.write_ca(state.ca_file)
    recorder = Recorder(trail, clock)
    services = Services(
        state=state,
        clock=clock,
        containers=cast("Any", NO_CONTAINERS),
        kms=kms,
        trail=trail,
        recorder=recorder,
        authority=authority,
        identities=Identities(AccountStore(folder)),
        stopping=threading.Event(),
    )
    brokers = Brokers(services)
    testbed = SimpleNamespace(
        state=state,
        containers=NO_CONTAINERS,
        kms_container=SimpleNamespace(url="http://127.0.0.1:1", status="missing"),
        user=services.user,
        region=services.user.region,
        clock=clock,
        kms=kms,
        trail=trail,
        authority=authority,
        ca_file=state.ca_file,
        services=services,
        brokers=brokers,
        upkeep=brokers.upkeep,
    )
    try:
        yield cast("Testbed", testbed)
    finally:
        trail.close()


def add(testbed: Testbed, request: CreateBroker, caller: Caller = USER) -> Broker:
    """Store the broker of a request as running under ``KEY``, its key last checked long ago."""
    key = BrokerKey(KEY, "CUSTOMER_MANAGED")
    planned = topology.plan(request, caller, "an-image", key, datetime.now(UTC))
    broker = planned.with_state("RUNNING")
    return BrokerStore(testbed.state, testbed.services.stopping).put(broker)


def request(engine_type: str = "RABBITMQ", name: str = "offline") -> CreateBroker:
    """Return a valid request of each engine."""
    return CreateBroker(
        broker_name=name,
        engine_type=engine_type,
        engine_version=DEFAULT_VERSION[engine_type],
        users=(User("admin", "correct-horse-1"),),
        storage_type="EBS",
        settings={
            "HostInstanceType": {"RABBITMQ": "mq.m7g.large", "ACTIVEMQ": "mq.m5.large"}[
                engine_type
            ],
        },
    )
