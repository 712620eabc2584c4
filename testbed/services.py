"""What the parts of one testbed share, built once."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from testbed.account.identities import Identities
from testbed.account.moto_backends import MotoBackends
from testbed.account.store import AccountStore
from testbed.default_region import checked, default_region
from testbed.errors import TestbedError
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import DELAY, USER, USER_ACCOUNT, Caller, Kms, root
from testbed.kms.container import KmsContainer
from testbed.kms.key import DAY
from testbed.kms.localstack import LocalStackKms
from testbed.kms.operations.key_states import SHORTEST_WINDOW
from testbed.kms.retrying import RetryingKms
from testbed.pki import Authority
from testbed.runtime import ports
from testbed.runtime.containers import Containers
from testbed.state.clock import Clock
from testbed.state.locks import hold_lock
from testbed.state.store import State
from testbed.trail.recording import Recorder, RecordingKms
from testbed.trail.store import Trail

_KIND = "settings"


@dataclass(frozen=True)
class Services:
    """What the brokers and the AWS endpoint of one testbed work with.

    ``kms`` decides, records and delegates to LocalStack. ``stopping`` ends every wait.
    ``identities`` are those of IAM and STS. ``user`` is who acts where nobody is named.
    ``key_policies`` decides on keys without a call.
    """

    state: State
    clock: Clock
    containers: Containers
    kms: Kms
    trail: Trail
    recorder: Recorder
    authority: Authority
    identities: Identities
    stopping: threading.Event
    user: Caller = USER
    key_policies: KmsAuthority | None = None

    @cached_property
    def backends(self) -> MotoBackends:
        """What moto keeps for the testbed."""
        return MotoBackends(self.identities.store)


@dataclass(frozen=True)
class Settings:
    """What all processes that use one state folder have to agree on.

    ``kms_port`` stays the same for the folder's life, so that clients survive a restart of KMS.
    ``delay`` is the number of seconds until a disabled key or a revoked grant takes effect.
    ``region`` is where those act who name no Region. ``are_new``: they replace some that other
    processes may have read.
    """

    kms_port: int
    delay: float
    region: str
    are_new: bool = field(default=False, compare=False)

    @classmethod
    def load(
        cls, state: State, delay: float | None, region: str, stopping: threading.Event
    ) -> "Settings":
        """Return the settings of ``state``; what is given replaces what is stored.

        Raises ``TestbedError`` if AWS has no such Region, or for a delay that makes no sense.
        """
        with hold_lock(state.folder, "settings", stopping):
            stored = state.get(_KIND, "common")
            document = stored or {"kms_port": ports.free(1)[0], "delay": DELAY}
            if delay is not None:
                document = {**document, "delay": _checked_delay(delay)}
            if region or not stored:
                document = {**document, "region": checked(region or default_region())}
            if document != stored:
                state.put(_KIND, "common", document)
        return cls(**document, are_new=bool(stored) and document != stored)


def _checked_delay(delay: float) -> float:
    longest = SHORTEST_WINDOW * DAY
    if not 0 <= delay < longest:
        raise TestbedError(
            f"The delay cannot be {delay:g} seconds.",
            hint=f"0 or more, and less than {longest:.0f}: the shortest window of a deletion.",
        )
    return delay


def assemble(
    state: State,
    containers: Containers,
    container: KmsContainer,
    settings: Settings,
    stopping: threading.Event,
) -> Services:
    """Build the services over ``container``, which may still be starting.

    Raises ``StateBroken`` when the state folder cannot be used.
    """
    clock, trail = Clock(state), Trail(state.folder)
    clock.anchor()
    recorder, identities = Recorder(trail, clock), Identities(AccountStore(state.folder))

    def record_event(event: str, key_arn: str, at: float, details: Mapping[str, str]) -> None:
        recorder.service_event(event, key_arn, at, **details)

    localstack = RetryingKms(LocalStackKms(container.url), ready=container.wait_until_ready)
    kms = KmsAuthority(
        localstack,
        state,
        clock,
        delay=settings.delay,
        identities=identities.policies,
        on_event=record_event,
        last_usage=recorder.last_usage,
    )
    with hold_lock(state.folder, "authority", stopping):  # KMS starts while one is made
        authority = _authority(state)
    return Services(
        state,
        clock,
        containers,
        RecordingKms(kms, recorder),
        trail,
        recorder,
        authority,
        identities,
        stopping,
        root(USER_ACCOUNT, settings.region),
        kms,
    )


def _authority(state: State) -> Authority:
    document = state.get(_KIND, "authority")
    authority = Authority.from_document(document) if document else Authority.create()
    if not document:
        state.put(_KIND, "authority", authority.to_document())
    authority.write_ca(state.ca_file)
    return authority
