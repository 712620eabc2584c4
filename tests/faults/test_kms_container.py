import pytest

from testbed import Faults, Testbed
from testbed.errors import KmsError
from tests.support.nightly import first_then_nightly

pytestmark = pytest.mark.containers


@pytest.mark.parametrize("name", first_then_nightly(["kms-down", "kms-pause"], "a paused KMS"))
def test_calls_fail_until_the_end_of_the_block_and_keys_are_kept(
    testbed: Testbed, faults: Faults, name: str
) -> None:
    key = testbed.new_key("Survives an outage of KMS")
    plain = {"KeyId": key, "Plaintext": b"a secret"}
    sealed = testbed.kms.call(testbed.user, "Encrypt", plain)["CiphertextBlob"]
    with faults.inject(name):
        testbed.kms_container.recover()  # control: left alone
        with pytest.raises(KmsError) as failed:
            testbed.kms.call(testbed.user, "Encrypt", plain)
        assert failed.value.code == "KMSInternalException"
    opened = testbed.kms.call(testbed.user, "Decrypt", {"CiphertextBlob": sealed})
    assert opened["Plaintext"] == b"a secret"
