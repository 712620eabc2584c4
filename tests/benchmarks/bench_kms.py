"""What the authority costs on GenerateDataKeyWithoutPlaintext and Decrypt, over LocalStack alone.

    pytest -s tests/benchmarks/bench_kms.py

Amazon MQ asks, with its grant and the context of a volume, among the five grants of a cluster and
under the default policy; then among twenty grants, under a policy of thirty statements with
conditions. Calls alternate, one of each; the ratio is the median of the rounds' ratios. The cost of
the authority and the recorder alone is measured by the same calls over a KMS that answers at once,
which the noise of the machine disturbs less. It may be at most 15 % of a call, and 20 % with the
long policy. A user's calls cost at most 15 % for the account's root, and 25 % for a role with three
policies of its own.
"""

# ruff: noqa: B023 (each function is called in the round that makes it)

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.account.directory import Directory, Document, Role
from testbed.account.identities import Identities
from testbed.account.store import AccountStore
from testbed.documented.grants import grants
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, USER_ACCOUNT, Caller, Credentials, Kms
from testbed.trail.recording import Recorder, RecordingKms
from testbed.trail.store import Trail
from tests.support import identities
from tests.support.key_policies import allow, deny, document
from tests.support.kms_authority import (
    OTHER_ACCOUNT,
    SERVICE,
    SESSION,
    VIA_MQ,
    VOLUME,
    Authority,
    container,
    over,
)

pytestmark = pytest.mark.containers
ROUNDS, CALLS = 15, 60


class AtOnce:
    """KMS with cached answers: a repeated request is answered immediately."""

    def __init__(self, kms: Kms) -> None:
        self._kms = kms
        self._answers: dict[str, dict[str, Any]] = {}

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if operation not in self._answers:
            self._answers[operation] = self._kms.call(caller, operation, parameters)
        return dict(self._answers[operation])


def alternating(variants: dict[str, Callable[[], object]]) -> dict[str, list[list[float]]]:
    """Return the seconds of every call by variant and round, one call of each in turn."""
    durations: dict[str, list[list[float]]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name in variants:
            durations[name].append([])
        for _ in range(CALLS):
            for name, work in variants.items():
                started = time.perf_counter()
                work()
                durations[name][-1].append(time.perf_counter() - started)
    return durations


def median_of_rounds(times: list[list[float]]) -> list[float]:
    return [statistics.median(of_a_round) for of_a_round in times[1:]]  # the first is to warm up


def long_policy() -> str:
    """Return a policy of thirty statements; most name the caller or the action, few both."""
    others = [f"arn:aws:iam::{OTHER_ACCOUNT}:role/team-{number}" for number in range(10)]
    context, service = "kms:EncryptionContext:aws:ebs:id", {"Service": "mq.amazonaws.com"}
    return document(
        allow({"AWS": USER_ACCOUNT}),
        *(allow({"AWS": other}, ["kms:Encrypt", "kms:Decrypt"]) for other in others),
        *(
            allow(service, "kms:Sign", Condition={"StringLike": {context: f"vol-{number}*"}})
            for number in range(9)
        ),
        *(
            deny("*", "kms:*", Condition={"StringEquals": {context: f"vol-{number}"}})
            for number in range(4)
        ),
        deny("*", "kms:*", Condition={"Bool": {"aws:SecureTransport": "false"}}),
        deny("*", "kms:*", Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
        deny("*", "kms:*", Condition={"DateGreaterThan": {"aws:CurrentTime": "2099-01-01"}}),
        deny("*", "kms:*", Condition={"ArnLike": {"aws:PrincipalArn": others}}),
        deny({"AWS": others}, "kms:*", Condition={"Null": {"kms:EncryptionContextKeys": "true"}}),
        deny(
            "*",
            "kms:PutKeyPolicy",
            Condition={"StringNotEquals": {"kms:CallerAccount": USER_ACCOUNT}},
        ),
    )


def prepared(aws: Authority, policy: str, volumes: int) -> tuple[str, bytes, bytes]:
    """Create a key with a cluster's grants, its data key, and a data key of LocalStack alone."""
    key = aws.key()
    shapes = grants("CLUSTER_MULTI_AZ", "EBS", USER.region)
    service_grants = [shape for shape in shapes if not shape.of_volume]
    for number in range(volumes):
        aws.grant(
            key,
            SERVICE.principal,
            "Decrypt",
            by=VIA_MQ,
            Constraints={"EncryptionContextSubset": {"aws:ebs:id": f"vol-{number}"}},
        )
    for shape in service_grants:
        aws.grant(key, shape.grantee_principal, *shape.operations, by=VIA_MQ, Name=shape.name)
    if policy:
        aws.call(USER, "PutKeyPolicy", KeyId=key, Policy=policy)
    blob = aws.call(
        SERVICE,
        "GenerateDataKeyWithoutPlaintext",
        KeyId=key,
        NumberOfBytes=64,
        EncryptionContext=VOLUME,
    )["CiphertextBlob"]
    plain_blob = container().kms.call(
        USER, "Encrypt", {"KeyId": key, "Plaintext": bytes(64), "EncryptionContext": VOLUME}
    )["CiphertextBlob"]
    return key, blob, plain_blob


@pytest.mark.parametrize(
    ("policy", "volumes", "share"),
    [("", 3, 0.15), (long_policy(), 18, 0.20)],
    ids=["default policy, 5 grants", "30 statements, 20 grants"],
)
def test_what_the_authority_costs(tmp_path: Path, policy: str, volumes: int, share: float) -> None:
    aws = over(container(), tmp_path / "state")
    measure(aws, SERVICE, prepared(aws, policy, volumes), share)


ROLE = SESSION.principal.replace("sts", "iam").replace("assumed-role", "role").rpartition("/")[0]
AS_ROLE = replace(SESSION, credentials=Credentials("ASIAEXAMPLE", "AROAEXAMPLE:alice", issuer=ROLE))


def three_policies(folder: Path) -> Identities:
    """Return identities in which a role has three policies of six statements each."""
    texts = [
        identities.policy(
            *(
                identities.allow(f"{service}:Get*", resource=f"arn:aws:{service}:*")
                for service in ("s3", "sqs", "sns", "ec2")
            ),
            identities.allow("kms:GenerateDataKey*", "kms:Decrypt"),
            identities.deny(
                "kms:*",
                Condition={"StringEquals": {"aws:RequestedRegion": f"eu-west-{number}"}},
            ),
        )
        for number in range(1, 4)
    ]
    role = Role(
        "Ops",
        ROLE,
        "AROAEXAMPLE",
        identities.policy(),
        policies=tuple(Document(f"policy-{number}", text) for number, text in enumerate(texts)),
    )
    store = AccountStore(folder)
    with store.changing() as connection:
        store.put_directory(connection, USER_ACCOUNT, "aws", Directory(roles={role.name: role}))
    return Identities(store)


@pytest.mark.parametrize(
    ("caller", "share"), [(USER, 0.15), (AS_ROLE, 0.25)], ids=["root", "a role with 3 policies"]
)
def test_what_identities_cost(tmp_path: Path, caller: Caller, share: float) -> None:
    policies = three_policies(tmp_path).policies
    aws = over(container(), tmp_path / "state", identities=policies)
    measure(aws, caller, prepared(aws, "", 3), share, identities=policies)


def measure(
    aws: Authority, caller: Caller, made: tuple[str, bytes, bytes], share: float, **options: Any
) -> None:
    """Print what each part costs a caller; assert that the testbed's are below ``share``."""
    key, blob, plain_blob = made
    recorder = Recorder(Trail(aws.state.folder), aws.clock)
    raw_kms = container().kms
    recorded = RecordingKms(aws.kms, recorder)
    at_once = KmsAuthority(AtOnce(container().kms), aws.state, aws.clock, **options)
    recorded_at_once = RecordingKms(at_once, recorder)
    for operation, request, raw in (
        (
            "GenerateDataKeyWithoutPlaintext",
            {"KeyId": key, "NumberOfBytes": 64, "EncryptionContext": VOLUME},
            {},
        ),
        (
            "Decrypt",
            {"KeyId": key, "CiphertextBlob": blob, "EncryptionContext": VOLUME},
            {"CiphertextBlob": plain_blob},
        ),
    ):
        variants: dict[str, Callable[[], object]] = {
            "LocalStack alone": lambda: raw_kms.call(caller, operation, {**request, **raw}),
            "with the authority": lambda: aws.kms.call(caller, operation, request),
            "and recorded": lambda: recorded.call(caller, operation, request),
            "the authority by itself": lambda: at_once.call(caller, operation, request),
            "both by themselves": lambda: recorded_at_once.call(caller, operation, request),
        }
        medians = {name: median_of_rounds(times) for name, times in alternating(variants).items()}
        alone = medians["LocalStack alone"]
        print(f"\n{operation}")
        for name, median in medians.items():
            ratio = statistics.median(
                measured / baseline for measured, baseline in zip(median, alone, strict=True)
            )
            print(
                f"{name:>24}: {statistics.median(median) * 1e3:7.3f} ms a call, "
                f"{ratio:.3f} of LocalStack alone"
            )
        itself = statistics.median(medians["both by themselves"])
        assert itself <= share * statistics.median(alone)
