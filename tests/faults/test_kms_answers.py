import time

import boto3
import pytest
from botocore.exceptions import ClientError

from testbed import Endpoint, Faults, Testbed
from testbed.errors import KmsError

pytestmark = pytest.mark.containers


def test_a_slow_kms_answers_late_until_the_end_of_the_block(
    testbed: Testbed, faults: Faults
) -> None:
    def lasts() -> float:
        started = time.monotonic()
        testbed.kms.call(testbed.user, "ListKeys", {})
        return time.monotonic() - started

    with faults.kms_slow(delay="2s"):
        assert lasts() >= 2
    assert min(lasts() for _ in range(5)) < 2, "control: without the fault"


def test_a_throttled_call_is_refused_until_the_end_of_the_block(
    testbed: Testbed, faults: Faults
) -> None:
    with faults.kms_throttle(), pytest.raises(KmsError, match="exceeded the rate") as refused:
        testbed.kms.call(testbed.user, "ListKeys", {})
    assert (refused.value.code, refused.value.status) == ("ThrottlingException", 400)
    assert "Keys" in testbed.kms.call(testbed.user, "ListKeys", {})


def test_it_ends_at_its_deadline_though_nobody_undoes_it(testbed: Testbed, faults: Faults) -> None:
    throttled = faults.kms_throttle(seconds=0.5)
    end = time.monotonic() + 60
    while True:
        try:
            testbed.kms.call(testbed.user, "ListKeys", {})
            break
        except KmsError:
            assert time.monotonic() < end
            time.sleep(0.1)
    assert not throttled.is_undone


def test_an_sdk_tries_throttled_calls_again(aws_endpoint: Endpoint, faults: Faults) -> None:
    kms = boto3.client("kms", **aws_endpoint.client())
    with faults.kms_throttle(), pytest.raises(ClientError) as refused:
        kms.list_keys()
    answer = refused.value.response
    assert answer["Error"]["Code"] == "ThrottlingException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert answer["ResponseMetadata"]["RetryAttempts"] > 0
    assert "Keys" in kms.list_keys()
