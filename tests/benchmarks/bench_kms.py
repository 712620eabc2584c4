"""What the authority costs on GenerateDataKeyWithoutPlaintext and Decrypt, over LocalStack alone.

    pytest -s tests/benchmarks/bench_kms.py

Amazon MQ asks, with its grant and the context of a volume, among the five grants of a cluster. Rounds alternate; the ratio
is the median of the rounds' ratios. Besides, what the authority, and the recorder around it, take by themselves: the same
calls over a KMS that answers at once, which the noise of the machine disturbs less. That is to be at most 15 % of a call.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from kms_authority import SERVICE, VIA_MQ, VOLUME, Authority, container, over

from testbed.documented.grants import grants
from testbed.kms.authority import assemble
from testbed.kms.base import USER, Caller, Kms
from testbed.trail.recording import Recorder, RecordingKms
from testbed.trail.store import Trail

pytestmark = pytest.mark.containers
ROUNDS, CALLS = 15, 60


class AtOnce:
    """KMS with its answers kept: what is asked again is answered in no time."""

    def __init__(self, kms: Kms) -> None:
        self._kms = kms
        self._answers: dict[str, dict[str, Any]] = {}

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if operation not in self._answers:
            self._answers[operation] = self._kms.call(caller, operation, parameters)
        return dict(self._answers[operation])


def median_of(work: Callable[[], object], calls: int) -> float:
    """Seconds a call."""
    taken = []
    for _ in range(calls):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def prepared(aws: Authority) -> tuple[str, bytes, bytes]:
    """A key with the grants of a cluster, a data key of its, and one of LocalStack's own making."""
    key = aws.key()
    service_grants = [shape for shape in grants("CLUSTER_MULTI_AZ", "EBS") if not shape.of_volume]
    for shape in service_grants:
        aws.grant(key, shape.grantee_principal, *shape.operations, by=VIA_MQ, Name=shape.name)
    for number in range(3):
        aws.grant(key, SERVICE.principal, "Decrypt", by=SERVICE, Constraints={"EncryptionContextSubset": {"aws:ebs:id": f"vol-{number}"}})
    blob = aws.call(SERVICE, "GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=64, EncryptionContext=VOLUME)["CiphertextBlob"]
    own = container().kms.call(USER, "Encrypt", {"KeyId": key, "Plaintext": bytes(64), "EncryptionContext": VOLUME})["CiphertextBlob"]
    return key, blob, own


def test_what_the_authority_costs(tmp_path: Path) -> None:
    aws = over(container(), tmp_path / "state")
    key, blob, own = prepared(aws)
    recorder = Recorder(Trail(aws.state.folder), aws.clock)
    recorded = RecordingKms(aws.kms, recorder)
    at_once = assemble(AtOnce(container().kms), aws.state, aws.clock)
    recorded_at_once = RecordingKms(at_once, recorder)
    for operation, request, raw in (
        ("GenerateDataKeyWithoutPlaintext", {"KeyId": key, "NumberOfBytes": 64, "EncryptionContext": VOLUME}, {}),
        ("Decrypt", {"KeyId": key, "CiphertextBlob": blob, "EncryptionContext": VOLUME}, {"CiphertextBlob": own}),
    ):
        taken: dict[str, list[float]] = {}
        for turn in range(ROUNDS + 1):
            for name, kms, asked in (
                ("LocalStack alone", container().kms, {**request, **raw}),
                ("with the authority", aws.kms, request),
                ("and recorded", recorded, request),
                ("the authority by itself", at_once, request),
                ("both by themselves", recorded_at_once, request),
            ):
                calls = 5 * CALLS if "themsel" in name or "itself" in name else CALLS
                median = median_of(lambda: kms.call(SERVICE, operation, asked), calls)  # noqa: B023  (called at once)
                if turn:  # the first round is to warm up
                    taken.setdefault(name, []).append(median)
        alone = taken["LocalStack alone"]
        print(f"\n{operation}")
        for name, medians in taken.items():
            ratio = statistics.median(median / other for median, other in zip(medians, alone, strict=True))
            print(f"{name:>24}: {statistics.median(medians) * 1e3:7.3f} ms a call, {ratio:.3f} of LocalStack alone")
        assert statistics.median(taken["both by themselves"]) <= 0.15 * statistics.median(alone)
