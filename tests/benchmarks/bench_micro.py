"""What the parts cost by themselves: handshakes, KMS calls, data keys, volumes, ciphers.

    pytest tests/benchmarks/bench_micro.py --benchmark-autosave
    pytest tests/benchmarks/bench_micro.py --benchmark-compare --benchmark-compare-fail=median:10%

The second run fails when a part has become slower; groups are compared in one table each.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pytest_benchmark.fixture import BenchmarkFixture

from testbed.bench.load import make_generator
from testbed.bench.spec import load_driver
from testbed.bench.target import Encryption
from testbed.clients import tls
from testbed.documented.tls import ACTIVEMQ_SUITES, RABBITMQ_SUITES
from testbed.runtime.exec import open_exec
from testbed.storage import volumes
from testbed.testbed import Testbed
from tests.support.bench_brokers import Broker

pytestmark = pytest.mark.containers
SIZES = (100, 1024, 65536, 1048576)
ENGINES = ("rabbitmq", "activemq")
SUITES = [("rabbitmq", suite.openssl) for suite in RABBITMQ_SUITES] + [
    ("activemq", suite.openssl) for suite in ACTIVEMQ_SUITES
]


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with Testbed() as testbed:
        yield testbed


@pytest.mark.parametrize(("name", "suite"), SUITES)
def test_handshake(
    benchmark: BenchmarkFixture, brokers: dict[str, Broker], name: str, suite: str
) -> None:
    """TCP and TLS, up to the first byte of the protocol."""
    benchmark.group = f"handshake {name}"
    target = brokers[name].target(load_driver(name), Encryption(suite=suite))

    def shake() -> None:
        tls.open_socket(target.address, 10, server_name=target.server_name, suite=suite).close()

    benchmark.pedantic(shake, rounds=30, warmup_rounds=3)


@pytest.mark.parametrize("listener", ["plaintext", "tls"])
@pytest.mark.parametrize("name", ENGINES)
def test_login(
    benchmark: BenchmarkFixture, brokers: dict[str, Broker], name: str, listener: str
) -> None:
    """Connect, log in, disconnect."""
    benchmark.group = f"login {name}"
    generator = make_generator(
        "fast", brokers[name].target(load_driver(name), Encryption(listener))
    )
    benchmark.pedantic(generator.visit, rounds=30, warmup_rounds=3)


@pytest.mark.parametrize(
    "operation", ["GenerateDataKeyWithoutPlaintext", "Decrypt", "Encrypt", "DescribeKey"]
)
def test_kms_call(benchmark: BenchmarkFixture, testbed: Testbed, operation: str) -> None:
    """Through all of the testbed's layers, to LocalStack and back."""
    from testbed.kms.base import USER

    benchmark.group = "KMS"
    key = testbed.new_key("benchmark")
    blob = testbed.kms.call(USER, "Encrypt", {"KeyId": key, "Plaintext": b"x" * 32})[
        "CiphertextBlob"
    ]
    parameters: dict[str, dict[str, Any]] = {
        "GenerateDataKeyWithoutPlaintext": {"KeyId": key, "KeySpec": "AES_256"},
        "Decrypt": {"CiphertextBlob": blob},
        "Encrypt": {"KeyId": key, "Plaintext": b"x" * 32},
        "DescribeKey": {"KeyId": key},
    }
    benchmark.pedantic(
        lambda: testbed.kms.call(USER, operation, parameters[operation]), rounds=40, warmup_rounds=5
    )


def test_data_key_opened(benchmark: BenchmarkFixture, testbed: Testbed) -> None:
    """What attaching a volume asks of KMS."""
    benchmark.group = "volume"
    with testbed.temporary_broker(
        testbed.request("RABBITMQ", "benchmark", testbed.new_key("benchmark"))
    ) as broker:
        volume = broker.nodes[0].volume
        benchmark.pedantic(
            lambda: volumes.open_data_key(testbed.kms, volume), rounds=40, warmup_rounds=5
        )


@pytest.fixture
def attach(brokers: dict[str, Broker]) -> Callable[[], None]:
    """Return a call that mounts and unmounts a volume in a broker's container."""
    identity, key = brokers["rabbitmq"].container, secrets.token_hex(32)
    folders = "mkdir -p /run/testbed/bench/volume /run/testbed/bench/data"
    init = "gocryptfs -q -init -scryptn 10 /run/testbed/bench/volume"
    _script(identity, f"{folders}; {init}", key)
    return lambda: _script(
        identity, "cd /run/testbed/bench; gocryptfs -q -nosyslog volume data && umount data", key
    )


def _script(identity: str, script: str, key: str) -> None:
    running = open_exec(identity, ["sh", "-c", f"{script} && echo +"])
    try:
        running.write(f"{key}\n".encode())
        assert running.read(2, 30) == b"+\n"
    finally:
        running.close()


def test_volume_attached(benchmark: BenchmarkFixture, attach: Callable[[], None]) -> None:
    """The mount alone, in a running container: process start, key derivation, mount, unmount."""
    benchmark.group = "volume"
    benchmark.pedantic(attach, rounds=10, warmup_rounds=1)


def _gcm(bits: int, data: bytes) -> Callable[[], object]:
    key, nonce = AESGCM(AESGCM.generate_key(bits)), secrets.token_bytes(12)
    return lambda: key.encrypt(nonce, data, None)


def _block(mode: Callable[[bytes], Any], key_bits: int, data: bytes) -> Callable[[], object]:
    key, start = secrets.token_bytes(key_bits // 8), secrets.token_bytes(16)
    padded = padding.PKCS7(128).padder()
    whole = padded.update(data) + padded.finalize()

    def run() -> bytes:
        encryptor = Cipher(algorithms.AES(key), mode(start)).encryptor()
        return encryptor.update(whole) + encryptor.finalize()

    return run


CIPHERS: dict[str, Callable[[bytes], Callable[[], object]]] = {
    "AES-128-GCM": lambda data: _gcm(128, data),
    "AES-256-GCM": lambda data: _gcm(256, data),
    "AES-128-CBC": lambda data: _block(modes.CBC, 128, data),
    "AES-256-CBC": lambda data: _block(modes.CBC, 256, data),
    "AES-256-XTS": lambda data: _block(modes.XTS, 512, data),
}


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("size", SIZES)
def test_cipher(benchmark: BenchmarkFixture, size: int, cipher: str) -> None:
    """OpenSSL's speed for one block of this size; CBC without the MAC that TLS adds."""
    benchmark.group = f"cipher {size} bytes"
    benchmark(CIPHERS[cipher](secrets.token_bytes(size)))


def test_the_parts_can_be_told_apart(brokers: dict[str, Broker]) -> None:
    """A control: plaintext has no suite, and a forced suite is the one agreed."""
    target = brokers["activemq"].target(load_driver("activemq"), Encryption(suite="AES128-SHA"))
    agreed = tls.open_socket(target.address, 10, server_name=target.server_name, suite="AES128-SHA")
    assert agreed.cipher()[0] == "AES128-SHA"  # type: ignore[attr-defined]
    agreed.close()
    plain = tls.open_socket(replace(target.address, ca_file=None, port=61616), 10)
    assert not hasattr(plain, "cipher")
    plain.close()
