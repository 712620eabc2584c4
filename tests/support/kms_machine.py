"""Keys and grants under random legal calls, each made to KMS and to the model (``kms_model``)."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from testbed.errors import KmsError
from testbed.kms import key_policy
from testbed.kms.base import USER, USER_ACCOUNT
from testbed.kms.due_work import DESTROY
from tests.support.kms_authority import EC2, EFS_HERE, GRANTEE, STRANGER, Authority, over
from tests.support.kms_authority import SERVICE as MQ_HERE
from tests.support.kms_container import Container
from tests.support.kms_model import (
    ACCOUNT,
    CALLERS,
    DAY,
    DELAY,
    EBS,
    EFS,
    GRANTABLE,
    OTHER,
    OWNER,
    POLICIES,
    SERVICE,
    Context,
    Model,
    ModelGrant,
    ModelKey,
)
from tests.support.kms_model import STRANGER as NOBODY

CALLER = {OWNER: USER, OTHER: GRANTEE, SERVICE: MQ_HERE, NOBODY: STRANGER, EBS: EC2, EFS: EFS_HERE}
callers = st.sampled_from(CALLERS)
CONTEXTS: list[Context] = [(), (("a", "bc"),), (("ab", "c"),), (("a", "bc"), ("d", ""))]
contexts = st.sampled_from(CONTEXTS)
index = st.integers(0, 1000)
OPEN = {
    "Effect": "Allow",
    "Principal": {"AWS": GRANTEE.account},
    "Action": ["kms:Encrypt", "kms:Decrypt"],
    "Resource": "*",
}
NO_DECRYPT = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
default = json.loads(key_policy.default(USER_ACCOUNT))
TEXT = {
    name: json.dumps({**default, "Statement": default["Statement"] + statements})
    for name, statements in zip(POLICIES, ([], [OPEN], [NO_DECRYPT]), strict=True)
}


class KeysAndGrants(RuleBasedStateMachine):
    """Each rule asks KMS and the model the same, and compares."""

    running: Container
    calls = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.aws = self.authority()
        self.model = Model()
        self.arns: list[str] = []
        self.disagreed = False
        self.blobs: list[tuple[bytes, int, Context, bytes]] = []

    def authority(self) -> Authority:
        return over(self.running, Path(self.folder.name) / "state", delay=DELAY)

    @initialize(
        constrained=st.lists(st.tuples(contexts, contexts), min_size=3, max_size=3),
        operations=st.lists(
            st.just(set(GRANTABLE)) | st.sets(st.sampled_from(GRANTABLE), min_size=1),
            min_size=3,
            max_size=3,
        ),
    )
    def something_to_begin_with(
        self, constrained: list[tuple[Context, Context]], operations: list[set[str]]
    ) -> None:
        """Create two keys, ciphertexts under each context, and a grant for all on the first."""
        for number in range(2):
            self.create_key()
            for context in CONTEXTS:
                self.encrypt(OWNER, number, context)
        for grantee, (subset, equals), allowed in zip(
            CALLERS[1:], constrained, operations, strict=True
        ):
            self.create_grant(OWNER, 0, grantee, grantee, allowed, subset, equals, "", True)

    # Calls

    def ask(
        self, caller: str, operation: str, invoked_by: str = "", **parameters: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the code of the refusal, and the answer."""
        KeysAndGrants.calls += 1
        try:
            return "", self.aws.call(
                replace(CALLER[caller], invoked_by=invoked_by), operation, **parameters
            )
        except KmsError as refusal:
            return refusal.code, {}

    def same(
        self, caller: str, operation: str, expected: str, invoked_by: str = "", **parameters: Any
    ) -> dict[str, Any] | None:
        """Return the answer if the call succeeds as expected, otherwise None."""
        code, answer = self.ask(caller, operation, invoked_by, **parameters)
        self.agree(code or "done", expected or "done", f"{operation} by {caller}")
        return None if code else answer

    def agree(self, actual: object, expected: object, what: str) -> None:
        self.disagreed = self.disagreed or actual != expected
        assert actual == expected, f"{what}: {actual} where the model has {expected}"

    def key(self, number: int) -> int:
        return number % len(self.arns)

    # Keys

    @precondition(lambda self: len(self.arns) < 5)
    @rule()
    def create_key(self) -> None:
        answer = self.same(OWNER, "CreateKey", "")
        assert answer
        self.model.keys[len(self.arns)] = ModelKey()
        self.arns.append(answer["KeyMetadata"]["Arn"])

    @rule(number=index)
    def disable(self, number: int) -> None:
        self.change_state(OWNER, number, "DisableKey")

    @rule(number=index)
    def enable(self, number: int) -> None:
        self.change_state(OWNER, number, "EnableKey")

    @rule(number=index)
    def schedule(self, number: int) -> None:
        self.change_state(OWNER, number, "ScheduleKeyDeletion", PendingWindowInDays=7)

    @rule(number=index)
    def cancel(self, number: int) -> None:
        self.change_state(OWNER, number, "CancelKeyDeletion")

    @rule(
        caller=st.sampled_from(CALLERS[1:]),
        number=index,
        operation=st.sampled_from(
            ["DisableKey", "EnableKey", "ScheduleKeyDeletion", "CancelKeyDeletion"]
        ),
    )
    def meddle(self, caller: str, number: int, operation: str) -> None:
        self.change_state(caller, number, operation)

    def change_state(self, caller: str, number: int, operation: str, **parameters: Any) -> None:
        key = self.key(number)
        if (
            self.same(
                caller,
                operation,
                self.model.administer(caller, operation, key),
                KeyId=self.arns[key],
                **parameters,
            )
            is not None
        ):
            self.model.change(operation, key, 7)
            self.generate(OWNER, key, ())  # the effect, at once

    @rule(number=index, name=st.sampled_from(POLICIES))
    def put_policy(self, number: int, name: str) -> None:
        key = self.key(number)
        if (
            self.same(
                OWNER,
                "PutKeyPolicy",
                self.model.administer(OWNER, "PutKeyPolicy", key),
                KeyId=self.arns[key],
                PolicyName="default",
                Policy=TEXT[name],
            )
            is not None
        ):
            self.model.keys[key].policy = name

    @rule(caller=callers, number=index)
    def rotate(self, caller: str, number: int) -> None:
        key = self.key(number)
        if self.model.keys[key].rotations < 25 and self.same(
            caller,
            "RotateKeyOnDemand",
            self.model.administer(caller, "RotateKeyOnDemand", key),
            KeyId=self.arns[key],
        ):
            self.model.keys[key].rotations += 1

    @rule(caller=callers, number=index)
    def describe(self, caller: str, number: int) -> None:
        key = self.key(number)
        self.look(caller, key)

    def look(self, caller: str, key: int) -> None:
        code, answer = self.ask(caller, "DescribeKey", KeyId=self.arns[key])
        self.agree(
            code or answer["KeyMetadata"]["KeyState"],
            self.model.shown(caller, key),
            f"the state shown to {caller}",
        )

    @rule()
    def wait(self) -> None:
        self.turn(DELAY)

    @rule(seconds=st.sampled_from([DELAY / 2, DAY, 7 * DAY]))
    def turn(self, seconds: float) -> None:
        """Turn the clock; real time is negligible against the least of these."""
        self.aws.clock.turn(seconds)
        self.model.now += seconds

    # Cryptography

    @rule(caller=callers, number=index, context=contexts)
    def encrypt(self, caller: str, number: int, context: Context) -> None:
        key, plaintext = self.key(number), f"plaintext {len(self.blobs)}".encode()
        request: dict[str, Any] = {
            "KeyId": self.arns[key],
            "Plaintext": plaintext,
            "EncryptionContext": dict(context),
        }
        answer = self.same(
            caller, "Encrypt", self.model.use(caller, "Encrypt", key, context), **request
        )
        if answer:
            self.blobs.append((answer["CiphertextBlob"], key, context, plaintext))

    @rule(caller=callers, number=index, context=contexts)
    def generate(self, caller: str, number: int, context: Context) -> None:
        key, operation = self.key(number), "GenerateDataKeyWithoutPlaintext"
        self.same(
            caller,
            operation,
            self.model.use(caller, operation, key, context),
            KeyId=self.arns[key],
            NumberOfBytes=64,
            EncryptionContext=dict(context),
        )

    @precondition(lambda self: self.blobs)
    @rule(caller=callers, number=index, context=st.none() | contexts)
    def decrypt(self, caller: str, number: int, context: Context | None) -> None:
        blob, key, closed, plaintext = self.blobs[number % len(self.blobs)]
        opened = closed if context is None else context
        answer = self.same(
            caller,
            "Decrypt",
            self.model.decrypt(caller, key, closed, opened),
            CiphertextBlob=blob,
            EncryptionContext=dict(opened),
        )
        self.agree(answer["Plaintext"] if answer else plaintext, plaintext, "the plaintext")

    @precondition(lambda self: self.blobs)
    @rule(
        caller=callers, number=index, destination=index, context=st.none() | contexts, new=contexts
    )
    def reencrypt(
        self, caller: str, number: int, destination: int, context: Context | None, new: Context
    ) -> None:
        blob, key, closed, plaintext = self.blobs[number % len(self.blobs)]
        opened, to = closed if context is None else context, self.key(destination)
        expected = self.model.reencrypt(caller, key, closed, opened, to, new)
        request: dict[str, Any] = {
            "CiphertextBlob": blob,
            "SourceEncryptionContext": dict(opened),
            "DestinationKeyId": self.arns[to],
            "DestinationEncryptionContext": dict(new),
        }
        answer = self.same(caller, "ReEncrypt", expected, **request)
        if answer:
            self.blobs.append((answer["CiphertextBlob"], to, new, plaintext))

    @precondition(lambda self: self.model.grants)
    @rule(
        number=index,
        operation=st.sampled_from(
            ["Encrypt", "GenerateDataKeyWithoutPlaintext", "Decrypt", "ReEncrypt"]
        ),
        context=contexts,
    )
    def use_a_grant(self, number: int, operation: str, context: Context) -> None:
        """Use a grant by its grantee, in a context that its constraints allow or not."""
        grant = list(self.model.grants.values())[number % len(self.model.grants)]
        closed = [place for place, (_, key, _, _) in enumerate(self.blobs) if key == grant.key]
        if operation in ("Encrypt", "GenerateDataKeyWithoutPlaintext"):
            {"Encrypt": self.encrypt, "GenerateDataKeyWithoutPlaintext": self.generate}[operation](
                grant.grantee, grant.key, context
            )
        elif closed and operation == "Decrypt":
            self.decrypt(grant.grantee, closed[number % len(closed)], None)
        elif closed:
            self.reencrypt(grant.grantee, closed[number % len(closed)], grant.key, None, context)

    # Grants

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
        self,
        caller: str,
        number: int,
        grantee: str,
        retiring: str,
        operations: set[str],
        subset: Context,
        equals: Context,
        name: str,
        through: bool,
    ) -> None:
        key = self.key(number)
        subset = () if equals else subset  # a grant has one constraint at most
        child = ModelGrant(
            key, grantee, frozenset(operations), subset, equals, name, retiring, ACCOUNT[caller]
        )
        constraints = {
            "EncryptionContextSubset": dict(subset),
            "EncryptionContextEquals": dict(equals),
        }
        optional: dict[str, Any] = {
            "Constraints": {kind: pairs for kind, pairs in constraints.items() if pairs},
            "Name": name,
            "RetiringPrincipal": CALLER[retiring].principal if retiring else "",
        }
        request: dict[str, Any] = {
            "KeyId": self.arns[key],
            "GranteePrincipal": CALLER[grantee].principal,
            "Operations": sorted(operations),
        }
        request |= {member: value for member, value in optional.items() if value}
        expected = self.model.grant_made(caller, child)
        answer = self.same(
            caller,
            "CreateGrant",
            expected,
            invoked_by="mq.amazonaws.com" if through else "",
            **request,
        )
        if not answer:
            return
        twice = {
            grant_id for grant_id, grant in self.model.grants.items() if name and grant == child
        }
        self.agree(
            answer["GrantId"] in (twice or self.model.grants),
            bool(twice),
            "whether it is an existing grant",
        )
        self.model.grants[answer["GrantId"]] = child

    @precondition(lambda self: self.model.grants)
    @rule(caller=callers, number=index, operation=st.sampled_from(["RevokeGrant", "RetireGrant"]))
    def end_grant(self, caller: str, number: int, operation: str) -> None:
        grant_id = list(self.model.grants)[number % len(self.model.grants)]
        expected = self.model.grant_ended(caller, operation, grant_id)
        if (
            self.same(
                caller,
                operation,
                expected,
                KeyId=self.arns[self.model.grants[grant_id].key],
                GrantId=grant_id,
            )
            is not None
        ):
            self.model.end(grant_id)

    @rule(number=index)
    def list_grants(self, number: int) -> None:
        key = self.key(number)
        answer = self.same(
            OWNER,
            "ListGrants",
            self.model.administer(OWNER, "PutKeyPolicy", key),
            KeyId=self.arns[key],
            Limit=1000,
        )
        if answer:
            self.agree(
                {grant["GrantId"] for grant in answer["Grants"]},
                self.model.listed(key),
                "the grants listed",
            )

    # At the end of a run

    def everything_opens_that_should_and_nothing_more(self) -> None:
        for blob, key, closed, plaintext in self.blobs:
            answer = self.same(
                OWNER,
                "Decrypt",
                self.model.decrypt(OWNER, key, closed, closed),
                CiphertextBlob=blob,
                EncryptionContext=dict(closed),
            )
            self.agree(answer["Plaintext"] if answer else plaintext, plaintext, "the plaintext")
            for caller in CALLERS[1:]:
                self.same(
                    caller,
                    "Decrypt",
                    self.model.decrypt(caller, key, closed, closed),
                    CiphertextBlob=blob,
                    EncryptionContext=dict(closed),
                )
        for key in self.model.keys:
            self.look(OWNER, key)

    def teardown(self) -> None:
        try:
            if not self.disagreed:  # or anything may fail, and hide the disagreement
                self.everything_opens_that_should_and_nothing_more()
        finally:
            self.forget()
            self.folder.cleanup()

    def forget(self) -> None:
        for arn in self.arns:  # so that the container's snapshot does not grow with every run
            self.running.kms.call(
                USER,
                "TagResource",
                {"KeyId": arn, "Tags": [{"TagKey": DESTROY, "TagValue": arn.rpartition("/")[2]}]},
            )
