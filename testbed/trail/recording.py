"""Where records come from: calls of KMS, calls of Amazon MQ's API, and KMS's own events.

Every call leaves one record, or one in each of two accounts where CloudTrail delivers it to both.
A refusal is recorded, and so is an outage, with the code that the caller saw: CloudTrail cannot
know of a request that never arrived, but here a caller can account for each of its calls. Only
Amazon MQ's periodic checks that find nothing new leave none (``Recorder.held``).
"""

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from testbed.arn import Arn
from testbed.documented.cloudtrail import EVENT_VERSION
from testbed.documented.key_states import CRYPTOGRAPHIC
from testbed.errors import ApiError, KmsError, MqError
from testbed.kms.base import Caller, Kms
from testbed.state.clock import Clock
from testbed.trail.arns import KeyArns, grant_id
from testbed.trail.lookup import Attribute, events, lookup_events
from testbed.trail.record import (
    Call,
    Setting,
    account_record,
    elsewhere,
    is_shared,
    kms_record,
    mq_record,
    recipients,
    role_of,
    service_event_record,
)
from testbed.trail.store import Trail


@dataclass
class Answer:
    """What an operation of Amazon MQ's API returned; set inside the ``with`` block."""

    elements: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Held:
    """The records of a ``held`` block, written at its end if ``kept`` was set in it."""

    records: list[Mapping[str, Any]] = field(default_factory=list)
    kept: bool = False


class Recorder:
    """Writes records into ``trail``, with ``clock``'s time.

    Safe to share between threads.
    """

    def __init__(
        self,
        trail: Trail,
        clock: Clock,
        *,
        event_version: str = EVENT_VERSION,
    ) -> None:
        self.trail, self._clock = trail, clock
        self._setting = Setting(event_version, session_started=clock.now())
        self._arns = KeyArns(self._behind_alias, self._of_grant)
        self._thread = threading.local()

    def now(self) -> float:
        return self._clock.now()

    @contextmanager
    def held(self) -> Iterator[Held]:
        """Hold this thread's records back; the ones of a block that does not keep them are lost."""
        held, outer = Held(), getattr(self._thread, "held", None)
        self._thread.held = held
        try:
            yield held
        finally:
            self._thread.held = outer
            if held.kept and held.records:
                self._append(*held.records)

    def _append(self, *records: Mapping[str, Any]) -> None:
        held: Held | None = getattr(self._thread, "held", None)
        if held is None:
            self.trail.append(*records)
        else:
            held.records += records

    def kms_call(self, call: Call) -> None:
        """Record a call on KMS, and what it is in another Region."""
        if there := elsewhere(call):
            self.kms_call(there)
        resources = self._arns.of(call)
        accounts = recipients(call, resources)
        shared = _id() if is_shared(call, accounts) else ""
        retired = call.operation == "RetireGrant" and bool(resources)
        grant = grant_id(call.parameters) if retired else ""
        self._append(
            *(
                kms_record(
                    call,
                    self._setting,
                    event_id=_id(),
                    recipient=account,
                    resources=resources,
                    shared_event_id=shared,
                    grant_id=grant,
                )
                for account in accounts
            )
        )

    @contextmanager
    def mq_call(
        self, caller: Caller, operation: str, parameters: Mapping[str, Any]
    ) -> Iterator[Answer]:
        """Record the ``with`` block as one call on Amazon MQ's API; see ``api_call``."""
        with self.api_call("mq", caller, operation, parameters) as answer:
            yield answer

    @contextmanager
    def api_call(
        self, service: str, caller: Caller, operation: str, parameters: Mapping[str, Any]
    ) -> Iterator[Answer]:
        """Record the ``with`` block as one call on a service's API, in boto3's shape.

        ``service`` is botocore's name of any service but KMS.

        An ``ApiError`` that leaves the block is recorded with its code and sentence. Any other
        exception is an ``InternalServerErrorException`` to the caller of an API; its text is about
        the testbed and not recorded. A block within a block is part of the same call.
        """
        if getattr(self._thread, "calling", False):
            yield Answer()
            return
        self._thread.calling = True
        try:
            with self._recorded(service, caller, operation, parameters) as answer:
                yield answer
        finally:
            self._thread.calling = False

    @contextmanager
    def _recorded(
        self, service: str, caller: Caller, operation: str, parameters: Mapping[str, Any]
    ) -> Iterator[Answer]:
        request_id = caller.request_id or _id()
        call, answer = Call(caller, operation, parameters, self._clock.now(), request_id), Answer()
        try:
            yield answer
        except ApiError as error:
            self._append_call(service, replace(call, error=error))
            raise
        except BaseException:
            self._append_call(service, replace(call, error=MqError("")))
            raise
        self._append_call(service, replace(call, answer=answer.elements))

    def call_within(
        self,
        service: str,
        caller: Caller,
        operation: str,
        parameters: Mapping[str, Any],
        answer: Mapping[str, Any],
    ) -> None:
        """Record a call that a service has made for its caller, within the caller's own."""
        call = Call(caller, operation, parameters, self._clock.now(), _id(), answer=answer)
        self._append_call(service, call)

    def service_event(
        self, name: str, key_arn: str, at: float | None = None, **details: str
    ) -> None:
        """Record what KMS did to a key by itself, now or at ``at``, seconds since 1970.

        ``name`` is ``DeleteKey``, ``RotateKey`` or ``DeleteExpiredKeyMaterial``; ``details`` are
        what ``serviceEventDetails`` has besides the id of the key.
        """
        at = self._clock.now() if at is None else at
        self.trail.append(
            service_event_record(name, key_arn, at, self._setting, event_id=_id(), details=details)
        )

    def last_usage(self, key_arn: str) -> dict[str, Any]:
        """Return KMS's ``KeyLastUsageData`` of a key, empty for a key that was never used."""
        key, about = Arn.parse(key_arn), Attribute("ResourceName", key_arn)
        for record in events(self.trail, key.account, region=key.region, attribute=about):
            if record["eventName"] in CRYPTOGRAPHIC and "errorCode" not in record:
                return {
                    "Operation": record["eventName"],
                    "Timestamp": datetime.fromisoformat(record["eventTime"]),
                    "CloudTrailEventId": record["eventID"],
                    "KmsRequestId": record["requestID"],
                }
        return {}

    def _append_call(self, service: str, call: Call) -> None:
        if service == "mq":
            self._append(mq_record(call, self._setting, event_id=_id()))
            return
        role = role_of(call, service)
        owner = Arn.parse(role).account if role else call.caller.account
        accounts = tuple(dict.fromkeys((call.caller.account, owner)))
        shared = _id() if len(accounts) > 1 else ""
        self._append(
            *(
                account_record(
                    call,
                    service,
                    self._setting,
                    event_id=_id(),
                    recipient=account,
                    shared_event_id=shared,
                )
                for account in accounts
            )
        )

    def _behind_alias(self, alias: str) -> str:
        """Return the key that ``alias``, an ARN, was last given to, by any process."""
        arn = Arn.parse(alias)
        page = lookup_events(
            self.trail,
            arn.account,
            region=arn.region,
            attribute=Attribute("ResourceName", alias),
        )
        arns = (
            record["resources"][-1]["ARN"]
            for record in page.records
            if len(record["resources"]) > 1
        )
        return next(arns, "")

    def _of_grant(self, caller: Caller, grant: str) -> str:
        """Return the key that ``grant`` was created on, by any process; else nothing."""
        created = events(
            self.trail,
            caller.account,
            region=caller.region,
            attribute=Attribute("EventName", "CreateGrant"),
        )
        arns = (
            record["resources"][-1]["ARN"]
            for record in created
            if (record["responseElements"] or {}).get("grantId") == grant
        )
        return next(arns, "")


@contextmanager
def unrecorded(
    service: str,  # noqa: ARG001 - see ``Recorder.api_call``
    caller: Caller,  # noqa: ARG001 - the same
    operation: str,  # noqa: ARG001 - the same
    parameters: Mapping[str, Any],  # noqa: ARG001 - the same
) -> Iterator[Answer]:
    """Record nothing: a data event, which a trail has only if it is asked for."""
    yield Answer()


class RecordingKms:
    """The outermost wrapper of KMS: one record for each call, however often it is tried."""

    def __init__(self, kms: Kms, recorder: Recorder) -> None:
        self._kms, self._recorder = kms, recorder

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``. Raises ``StateBroken`` when a call cannot be recorded."""
        request_id = caller.request_id or _id()
        call = Call(caller, operation, parameters, self._recorder.now(), request_id)
        try:
            answer = self._kms.call(caller, operation, parameters)
        except KmsError as error:
            self._recorder.kms_call(replace(call, error=error))
            raise
        except BaseException:
            outage = KmsError("", code="KMSInternalException", status=500)
            self._recorder.kms_call(replace(call, error=outage))
            raise
        self._recorder.kms_call(replace(call, answer=answer))
        return answer


def _id() -> str:
    return str(uuid.uuid4())
