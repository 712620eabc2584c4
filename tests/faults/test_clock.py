import pytest

from testbed import Faults, Testbed
from testbed.errors import KmsError

pytestmark = pytest.mark.containers


def test_what_is_due_happens(testbed: Testbed, faults: Faults) -> None:
    key = {"KeyId": testbed.new_key("To be deleted")}
    testbed.kms.call(testbed.user, "ScheduleKeyDeletion", {**key, "PendingWindowInDays": 7})
    testbed.kms.call(testbed.user, "DescribeKey", key)  # control: it is not due
    turned = faults.turn_clock(by="8d", hold=False)
    assert "691200 s" in turned.description
    with pytest.raises(KmsError) as refused:
        testbed.kms.call(testbed.user, "DescribeKey", key)
    assert refused.value.code == "NotFoundException"
