"""Keys and grants driven by random legal calls against the model in ``kms_model``; and KMS killed while it is done.

Some thousand steps by default, within a minute or two; ``TESTBED_KMS_STEPS`` in the environment is how many.
"""

import json
import os
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from kms_authority import GRANTEE, STRANGER, Authority, container, over
from kms_authority import SERVICE as MQ_HERE
from kms_container import Container, localstack
from kms_model import ACCOUNT, CALLERS, DAY, DELAY, GRANTABLE, OTHER, OWNER, POLICIES, SERVICE, Context, Model, ModelGrant, ModelKey
from kms_model import STRANGER as NOBODY

from testbed.errors import KmsError
from testbed.kms import policy
from testbed.kms.base import USER, USER_ACCOUNT
from testbed.kms.settling import DESTROY

pytestmark = pytest.mark.containers

STEPS = int(os.environ.get("TESTBED_KMS_STEPS", "6000"))
STEPS_A_RUN = 60
LONGEST = 110.0  # seconds, by default; with more steps accordingly more

CALLER = {OWNER: USER, OTHER: GRANTEE, SERVICE: MQ_HERE, NOBODY: STRANGER}
callers = st.sampled_from(CALLERS)
CONTEXTS: list[Context] = [(), (("a", "bc"),), (("ab", "c"),), (("a", "bc"), ("d", ""))]
contexts = st.sampled_from(CONTEXTS)
index = st.integers(0, 1000)
OPEN = {"Effect": "Allow", "Principal": {"AWS": GRANTEE.account}, "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"}
NO_DECRYPT = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
default = json.loads(policy.default(USER_ACCOUNT))
TEXT = {name: json.dumps({**default, "Statement": default["Statement"] + more}) for name, more in zip(POLICIES, ([], [OPEN], [NO_DECRYPT]), strict=True)}


class KeysAndGrants(RuleBasedStateMachine):
    """Each rule asks KMS and the model the same, and compares."""

    running: Container
    deadline = 0.0
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.aws: Authority = over(self.running, Path(self.folder.name) / "state", delay=DELAY)
        self.model = Model()
        self.arns: list[str] = []
        self.blobs: list[tuple[bytes, int, Context, bytes]] = []

    @initialize(
        constrained=st.lists(st.tuples(contexts, contexts), min_size=3, max_size=3),
        operations=st.lists(st.just(set(GRANTABLE)) | st.sets(st.sampled_from(GRANTABLE), min_size=1), min_size=3, max_size=3),
    )
    def something_to_begin_with(self, constrained: list[tuple[Context, Context]], operations: list[set[str]]) -> None:
        """Two keys, a ciphertext of each under each context, and a grant for everyone on the first."""
        for number in range(2):
            self.create_key()
            for context in CONTEXTS:
                self.encrypt(OWNER, number, context)
        for grantee, (subset, equals), allowed in zip(CALLERS[1:], constrained, operations, strict=True):
            self.create_grant(OWNER, 0, grantee, grantee, allowed, subset, equals, "", True)

    # Asking

    def ask(self, caller: str, operation: str, invoked_by: str = "", **parameters: Any) -> tuple[str, dict[str, Any]]:
        """The code of the refusal, and the answer."""
        KeysAndGrants.steps += 1
        try:
            return "", self.aws.call(replace(CALLER[caller], invoked_by=invoked_by), operation, **parameters)
        except KmsError as refusal:
            return refusal.code, {}

    def same(self, caller: str, operation: str, expected: str, invoked_by: str = "", **parameters: Any) -> dict[str, Any] | None:
        """The answer, when there is one to be expected; None else."""
        code, answer = self.ask(caller, operation, invoked_by, **parameters)
        self.agree(code or "done", expected or "done", f"{operation} by {caller}")
        return None if code else answer

    def agree(self, found: object, expected: object, what: str) -> None:
        if found != expected:
            type(self).deadline = float("inf")  # the search for the shortest such run is not to be cut short
        assert found == expected, f"{what}: {found} where the model has {expected}"

    def key(self, number: int) -> int:
        return number % len(self.arns)

    @property
    def in_time(self) -> bool:
        return time.monotonic() < self.deadline

    @precondition(lambda self: not self.in_time)
    @rule()
    def nothing(self) -> None:
        """What is left to do when time is up."""

    # Keys

    @precondition(lambda self: len(self.arns) < 5)
    @rule()
    def create_key(self) -> None:
        answer = self.same(OWNER, "CreateKey", "")
        assert answer
        self.model.keys[len(self.arns)] = ModelKey()
        self.arns.append(answer["KeyMetadata"]["Arn"])

    @precondition(lambda self: self.in_time)
    @rule(number=index)
    def disable(self, number: int) -> None:
        self.change_state(OWNER, number, "DisableKey")

    @precondition(lambda self: self.in_time)
    @rule(number=index)
    def enable(self, number: int) -> None:
        self.change_state(OWNER, number, "EnableKey")

    @precondition(lambda self: self.in_time)
    @rule(number=index)
    def schedule(self, number: int) -> None:
        self.change_state(OWNER, number, "ScheduleKeyDeletion", PendingWindowInDays=7)

    @precondition(lambda self: self.in_time)
    @rule(number=index)
    def cancel(self, number: int) -> None:
        self.change_state(OWNER, number, "CancelKeyDeletion")

    @precondition(lambda self: self.in_time)
    @rule(caller=st.sampled_from(CALLERS[1:]), number=index, operation=st.sampled_from(["DisableKey", "EnableKey", "ScheduleKeyDeletion", "CancelKeyDeletion"]))
    def meddle(self, caller: str, number: int, operation: str) -> None:
        self.change_state(caller, number, operation)

    def change_state(self, caller: str, number: int, operation: str, **more: int) -> None:
        key = self.key(number)
        if self.same(caller, operation, self.model.administer(caller, operation, key), KeyId=self.arns[key], **more) is not None:
            self.model.change(operation, key, 7)
            self.generate(OWNER, key, ())  # what comes of it, at once

    @precondition(lambda self: self.in_time)
    @rule(number=index, name=st.sampled_from(POLICIES))
    def put_policy(self, number: int, name: str) -> None:
        key = self.key(number)
        if self.same(OWNER, "PutKeyPolicy", self.model.administer(OWNER, "PutKeyPolicy", key), KeyId=self.arns[key], PolicyName="default", Policy=TEXT[name]) is not None:
            self.model.keys[key].policy = name

    @precondition(lambda self: self.in_time)
    @rule(caller=callers, number=index)
    def rotate(self, caller: str, number: int) -> None:
        key = self.key(number)
        if self.model.keys[key].rotations < 25 and self.same(caller, "RotateKeyOnDemand", self.model.administer(caller, "RotateKeyOnDemand", key), KeyId=self.arns[key]):
            self.model.keys[key].rotations += 1

    @precondition(lambda self: self.in_time)
    @rule(caller=callers, number=index)
    def describe(self, caller: str, number: int) -> None:
        key = self.key(number)
        self.look(caller, key)

    def look(self, caller: str, key: int) -> None:
        code, answer = self.ask(caller, "DescribeKey", KeyId=self.arns[key])
        self.agree(code or answer["KeyMetadata"]["KeyState"], self.model.shown(caller, key), f"the state shown to {caller}")

    @precondition(lambda self: self.in_time)
    @rule()
    def wait(self) -> None:
        self.turn(DELAY)

    @precondition(lambda self: self.in_time)
    @rule(seconds=st.sampled_from([DELAY / 2, DAY, 7 * DAY]))
    def turn(self, seconds: float) -> None:
        """Time that really passes is little against the least of these."""
        self.aws.clock.turn(seconds)
        self.model.now += seconds

    # Cryptography

    @precondition(lambda self: self.in_time)
    @rule(caller=callers, number=index, context=contexts)
    def encrypt(self, caller: str, number: int, context: Context) -> None:
        key, plaintext = self.key(number), f"plaintext {len(self.blobs)}".encode()
        request = {"KeyId": self.arns[key], "Plaintext": plaintext, "EncryptionContext": dict(context)}
        answer = self.same(caller, "Encrypt", self.model.use(caller, "Encrypt", key, context), **request)
        if answer:
            self.blobs.append((answer["CiphertextBlob"], key, context, plaintext))

    @precondition(lambda self: self.in_time)
    @rule(caller=callers, number=index, context=contexts)
    def generate(self, caller: str, number: int, context: Context) -> None:
        key, operation = self.key(number), "GenerateDataKeyWithoutPlaintext"
        self.same(caller, operation, self.model.use(caller, operation, key, context), KeyId=self.arns[key], NumberOfBytes=64, EncryptionContext=dict(context))

    @precondition(lambda self: self.in_time and self.blobs)
    @rule(caller=callers, number=index, context=st.none() | contexts)
    def decrypt(self, caller: str, number: int, context: Context | None) -> None:
        blob, key, closed, plaintext = self.blobs[number % len(self.blobs)]
        opened = closed if context is None else context
        answer = self.same(caller, "Decrypt", self.model.decrypt(caller, key, closed, opened), CiphertextBlob=blob, EncryptionContext=dict(opened))
        self.agree(answer["Plaintext"] if answer else plaintext, plaintext, "the plaintext")

    @precondition(lambda self: self.in_time and self.blobs)
    @rule(caller=callers, number=index, destination=index, context=st.none() | contexts, new=contexts)
    def reencrypt(self, caller: str, number: int, destination: int, context: Context | None, new: Context) -> None:
        blob, key, closed, plaintext = self.blobs[number % len(self.blobs)]
        opened, to = closed if context is None else context, self.key(destination)
        expected = self.model.reencrypt(caller, key, closed, opened, to, new)
        request = {"CiphertextBlob": blob, "SourceEncryptionContext": dict(opened), "DestinationKeyId": self.arns[to], "DestinationEncryptionContext": dict(new)}
        answer = self.same(caller, "ReEncrypt", expected, **request)
        if answer:
            self.blobs.append((answer["CiphertextBlob"], to, new, plaintext))

    @precondition(lambda self: self.in_time and self.model.grants)
    @rule(number=index, operation=st.sampled_from(["Encrypt", "GenerateDataKeyWithoutPlaintext", "Decrypt", "ReEncrypt"]), context=contexts)
    def use_a_grant(self, number: int, operation: str, context: Context) -> None:
        """By its grantee, on its key: in a context that may or may not be within its constraints."""
        grant = list(self.model.grants.values())[number % len(self.model.grants)]
        closed = [place for place, (_, key, _, _) in enumerate(self.blobs) if key == grant.key]
        if operation in ("Encrypt", "GenerateDataKeyWithoutPlaintext"):
            {"Encrypt": self.encrypt, "GenerateDataKeyWithoutPlaintext": self.generate}[operation](grant.grantee, grant.key, context)
        elif closed and operation == "Decrypt":
            self.decrypt(grant.grantee, closed[number % len(closed)], None)
        elif closed:
            self.reencrypt(grant.grantee, closed[number % len(closed)], grant.key, None, context)

    # Grants

    @precondition(lambda self: self.in_time)
    @rule(
        caller=callers,
        number=index,
        grantee=st.sampled_from(CALLERS[1:]),
        retiring=st.sampled_from(("", *CALLERS[1:])),
        operations=st.sets(st.sampled_from(GRANTABLE), min_size=1) | st.just(set(GRANTABLE)),
        subset=contexts,
        equals=st.just(()) | contexts,
        name=st.sampled_from(["", "", "one", "two"]),
        through=st.booleans(),
    )
    def create_grant(
        self, caller: str, number: int, grantee: str, retiring: str, operations: set[str], subset: Context, equals: Context, name: str, through: bool
    ) -> None:
        key = self.key(number)
        child = ModelGrant(key, grantee, frozenset(operations), subset, equals, name, retiring, ACCOUNT[caller])
        constraints = {"EncryptionContextSubset": dict(subset), "EncryptionContextEquals": dict(equals)}
        optional = {
            "Constraints": {kind: pairs for kind, pairs in constraints.items() if pairs},
            "Name": name,
            "RetiringPrincipal": CALLER[retiring].principal if retiring else "",
        }
        request = {"KeyId": self.arns[key], "GranteePrincipal": CALLER[grantee].principal, "Operations": sorted(operations)}
        request |= {member: value for member, value in optional.items() if value}
        expected = self.model.grant_made(caller, child, through_a_service=through)
        answer = self.same(caller, "CreateGrant", expected, invoked_by="mq.amazonaws.com" if through else "", **request)
        if not answer:
            return
        twice = {grant_id for grant_id, grant in self.model.grants.items() if name and grant == child}
        self.agree(answer["GrantId"] in (twice or self.model.grants), bool(twice), "whether it is a grant that was there")
        self.model.grants[answer["GrantId"]] = child

    @precondition(lambda self: self.in_time and self.model.grants)
    @rule(caller=callers, number=index, operation=st.sampled_from(["RevokeGrant", "RetireGrant"]))
    def end_grant(self, caller: str, number: int, operation: str) -> None:
        grant_id = list(self.model.grants)[number % len(self.model.grants)]
        expected = self.model.grant_ended(caller, operation, grant_id)
        if self.same(caller, operation, expected, KeyId=self.arns[self.model.grants[grant_id].key], GrantId=grant_id) is not None:
            self.model.end(grant_id)

    @precondition(lambda self: self.in_time)
    @rule(number=index)
    def list_grants(self, number: int) -> None:
        key = self.key(number)
        answer = self.same(OWNER, "ListGrants", self.model.administer(OWNER, "PutKeyPolicy", key), KeyId=self.arns[key], Limit=1000)
        if answer:
            self.agree({grant["GrantId"] for grant in answer["Grants"]}, self.model.listed(key), "the grants listed")

    # At the end of a run

    def everything_opens_that_should_and_nothing_more(self) -> None:
        for blob, key, closed, plaintext in self.blobs:
            answer = self.same(OWNER, "Decrypt", self.model.decrypt(OWNER, key, closed, closed), CiphertextBlob=blob, EncryptionContext=dict(closed))
            self.agree(answer["Plaintext"] if answer else plaintext, plaintext, "the plaintext")
            for caller in CALLERS[1:]:
                self.same(caller, "Decrypt", self.model.decrypt(caller, key, closed, closed), CiphertextBlob=blob, EncryptionContext=dict(closed))
        for key in self.model.keys:
            self.look(OWNER, key)

    def teardown(self) -> None:
        if self.in_time:
            self.everything_opens_that_should_and_nothing_more()
        for arn in self.arns:  # so that the container's snapshot does not grow with every run
            self.running.kms.call(USER, "TagResource", {"KeyId": arn, "Tags": [{"TagKey": DESTROY, "TagValue": arn.rpartition("/")[2]}]})
        self.folder.cleanup()


def test_keys_and_grants_are_as_the_model_says() -> None:
    KeysAndGrants.running, KeysAndGrants.steps = container(), 0
    KeysAndGrants.deadline = time.monotonic() + LONGEST * max(1, STEPS / 6000)
    runs = max(1, STEPS // STEPS_A_RUN)
    checked = settings(max_examples=runs, stateful_step_count=STEPS_A_RUN, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(KeysAndGrants, settings=checked)
    print(f"{KeysAndGrants.steps} calls compared")
    assert KeysAndGrants.steps > STEPS / 4, "bounded by time, and not to nothing"


class Killed(KeysAndGrants):
    """The same, with KMS killed again and again while it works: what it did not answer, it did not do."""

    kills = 0

    @precondition(lambda self: self.in_time)
    @rule(milliseconds=st.integers(0, 12), number=index, operation=st.sampled_from(["encrypt", "rotate", "create", "disable", "enable", "wait"]))
    def kill(self, milliseconds: int, number: int, operation: str) -> None:
        """At any point of a call, or before it; then all that opened before opens, and nothing more."""
        Killed.kills += 1
        killing = threading.Timer(milliseconds / 1000, self.running.kill)
        killing.start()
        try:
            {
                "encrypt": lambda: self.encrypt(OWNER, number, ()),
                "rotate": lambda: self.rotate(OWNER, number),
                "create": self.create_key,
                "disable": lambda: self.disable(number),
                "enable": lambda: self.enable(number),
                "wait": lambda: (self.turn(7 * DAY), self.look(OWNER, self.key(number))),
            }[operation]()
        except Outage:
            pass
        killing.join()
        self.running.start()
        self.everything_opens_that_should_and_nothing_more()

    def ask(self, caller: str, operation: str, invoked_by: str = "", **parameters: Any) -> tuple[str, dict[str, Any]]:
        code, answer = super().ask(caller, operation, invoked_by, **parameters)
        if code == "KMSInternalException":
            raise Outage
        return code, answer


class Outage(Exception):
    pass


def test_kms_killed_at_random_points_forgets_nothing_and_opens_nothing_more() -> None:
    runs = max(1, STEPS // 3000)
    with localstack() as running:
        running.start()
        Killed.running, Killed.kills = running, 0
        Killed.deadline = time.monotonic() + LONGEST * runs
        checked = settings(max_examples=runs, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
        run_state_machine_as_test(Killed, settings=checked)
    print(f"{Killed.kills} kills survived")
    assert Killed.kills


def test_control_a_kms_that_forgets_is_found_out() -> None:
    with localstack(tmpfs={"/etc/localstack/init/start.d": ""}) as forgetful:
        forgetful.start()
        Killed.running = forgetful
        Killed.deadline = time.monotonic() + LONGEST
        run = Killed()
        run.create_key()
        run.encrypt(OWNER, 0, ())
        with pytest.raises((AssertionError, KmsError)):
            run.kill(0, 0, "disable")
        run.folder.cleanup()
