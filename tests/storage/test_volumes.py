import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import KmsError, VolumeRefused
from testbed.kms.base import MQ, USER
from testbed.storage import volumes
from testbed.storage.raw import search
from tests.support.kms_container import Container


@given(st.binary(max_size=200), st.binary(max_size=200), st.lists(st.integers(1, 40), min_size=1))
def test_the_needle_is_found_wherever_the_chunks_break(
    before: bytes, after: bytes, sizes: list[int]
) -> None:
    needle = b"canary-0123456789"
    data, chunks = before + needle + after, []
    rest, turn = data, 0
    while rest:
        size = sizes[turn % len(sizes)]
        chunks.append(rest[:size])
        rest, turn = rest[size:], turn + 1
    assert search(chunks, needle).hits == data.count(needle) == 1
    assert search(chunks, needle).scanned == len(data)
    assert search([before, after], needle).hits == 0


@pytest.mark.containers
def test_a_volume_opens_with_its_key_and_context_alone(running: Container) -> None:
    kms = running.kms
    key = kms.call(USER, "CreateKey", {})["KeyMetadata"]
    volume = volumes.create(kms, key["Arn"], volumes.new_id())
    data_key = volumes.open_data_key(kms, volume)
    assert data_key is not None
    assert len(data_key) >= 32
    assert volumes.open_data_key(kms, volume) == data_key
    other = volumes.create(kms, key["Arn"], volumes.new_id())
    assert volumes.open_data_key(kms, other) != data_key
    swapped = volumes.Volume(other.volume_id, key["Arn"], volume.encrypted_data_key)
    with pytest.raises(VolumeRefused, match="does not attach: InvalidCiphertext"):
        volumes.open_data_key(kms, swapped)
    kms.call(USER, "DisableKey", {"KeyId": key["KeyId"]})
    with pytest.raises(VolumeRefused, match="DisabledException"):
        volumes.open_data_key(kms, volume)
    with pytest.raises(KmsError, match="DisabledException"):
        volumes.create(kms, key["Arn"], volumes.new_id())
    kms.call(USER, "EnableKey", {"KeyId": key["KeyId"]})
    assert volumes.open_data_key(kms, volume) == data_key
    assert volumes.open_data_key(kms, volumes.unencrypted("vol-x")) is None
    assert volumes.service(key["Arn"]).principal == MQ.principal
