"""Groups and signatures: in messages, by their primes, and on real listeners."""

import base64
import contextlib
import struct
import subprocess
from typing import Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.wire import key_exchange
from testbed.wire.byte_reader import NotTls
from testbed.wire.connection import Agreed, ListenerAddress, Offer, handshake
from testbed.wire.key_exchange import (
    CURVES,
    GROUPS,
    SIGNATURES,
    Group,
    KeyExchange,
    Signature,
    group_of,
    read,
)
from testbed.wire.prober import probe
from tests.support.tls_servers import NAME, OPENSSL, Pki, openssl_server, python_tls

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
with_openssl = pytest.mark.skipif(not OPENSSL, reason="needs the openssl program")
ECDHE, DHE, RSA = 0xC030, 0x009F, 0x009D
_GROUP_2 = bytes.fromhex(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd"
    "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff"
)


# As bytes


def vector(*numbers: int) -> bytes:
    return b"".join(
        struct.pack(">H", len(body := number.to_bytes((number.bit_length() + 7) // 8, "big")))
        + body
        for number in numbers
    )


def test_a_curve_with_its_signature() -> None:
    body = b"\3\0\x17" + b"\x41" + bytes(65) + b"\x08\x04" + b"\0\1\0"
    assert read(body, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLSv1.2") == KeyExchange(
        GROUPS[0x17], SIGNATURES[0x0804]
    )
    assert read(body, "TLS_ECDH_anon_WITH_AES_128_CBC_SHA", "TLSv1.2") == KeyExchange(
        GROUPS[0x17], None
    )
    before = read(body, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "TLSv1.1")
    assert before
    assert before.signature == Signature("rsa_pkcs1_md5_sha1", "RSA+MD5-SHA1")


def test_an_unknown_prime_is_described_by_its_size_and_no_other_key_exchange_is_guessed_at() -> (
    None
):
    prime = (1 << 1023) + 11
    exchange = read(
        vector(prime, 2, 5) + b"\x04\x01\0\1\0", "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "TLSv1.2"
    )
    assert exchange == KeyExchange(Group("dh1024", "", 1024), SIGNATURES[0x0401])
    for suite in (
        "TLS_PSK_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA",
        "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
    ):
        assert read(b"anything", suite, "TLSv1.2") is None


def test_what_has_no_name_here_is_named_by_its_number() -> None:
    assert group_of(0x9999) == Group("0x9999", "", 0, 0x9999)
    exchange = read(b"\3\x99\x99\0\x99\x99\0\0", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLSv1.2")
    assert exchange
    assert (exchange.group.iana, exchange.signature) == (
        "0x9999",
        Signature("0x9999", "", 0x9999),
    )
    with pytest.raises(NotTls, match="without a name"):
        read(b"\1\0\0", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLSv1.2")


@given(st.binary(max_size=100), st.sampled_from(["TLS_ECDHE_RSA_X", "TLS_DHE_RSA_X"]))
def test_no_bytes_break_the_reader(data: bytes, suite: str) -> None:
    with contextlib.suppress(NotTls):
        read(data, suite, "TLSv1.2")


@with_openssl
@pytest.mark.parametrize(
    "group",
    [group for group in key_exchange._PRIMES.values() if group.bits > 1024],
    ids=lambda group: group.openssl,
)
def test_the_named_primes_are_those_of_the_local_openssl(group: Group) -> None:
    option = f"group:{group.openssl}"
    command = [str(OPENSSL), "genpkey", "-algorithm", "DH", "-pkeyopt", option, "-outform", "DER"]
    der = subprocess.run(command, capture_output=True, check=True).stdout
    start = der.index(b"\xff" * 8)  # each of these primes begins with 64 ones
    prime = int.from_bytes(der[start : start + group.bits // 8], "big")
    exchange = read(
        vector(prime, 2, 5) + b"\x04\x01", "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "TLSv1.2"
    )
    assert exchange
    assert exchange.group == group


# On listeners


def agreed(port: int, suite: int, version: str = "TLSv1.2", **offer: Unpack[Offer]) -> Agreed:
    answer = handshake(ListenerAddress("127.0.0.1", port, NAME, 5.0), version, [suite], **offer)
    assert isinstance(answer, Agreed), answer
    return answer


@with_openssl
def test_group_and_signature_of_every_kind_of_key_exchange(pki: Pki) -> None:
    with openssl_server(pki, "-tls1_2", "-cipher", "ALL", "-groups", "P-384:ffdhe3072") as port:
        ecdhe = agreed(port, ECDHE)
        assert ecdhe.complete
        assert len(ecdhe.chain) == 2
        assert ecdhe.asks_certificate is False
        assert ecdhe.exchange
        assert ecdhe.exchange.group == GROUPS[0x18]
        assert ecdhe.exchange.signature
        assert ecdhe.exchange.signature.iana.startswith("rsa_")
        dhe = agreed(port, DHE)
        assert dhe.group
        assert dhe.group.bits >= 2048
        assert agreed(port, RSA).exchange is None
        chosen = agreed(port, ECDHE, signatures=[0x0601]).exchange
        assert chosen
        assert chosen.signature == Signature("rsa_pkcs1_sha512", "RSA+SHA512", 0x0601)


@with_openssl
def test_a_small_diffie_hellman_group_is_seen(pki: Pki) -> None:
    with openssl_server(
        pki, "-tls1_2", "-cipher", "DHE:@SECLEVEL=0", "-dhparam", str(_small_parameters(pki))
    ) as port:
        exchange = agreed(port, 0x0039).exchange
    assert exchange
    assert exchange.group == Group("MODP group 2 (1024)", "modp_1024", 1024)


def _small_parameters(pki: Pki) -> object:
    """Return MODP group 2 (RFC 2409), which no tool creates any more, as PKCS #3 in PEM."""
    number = b"\x02\x81\x81\0" + _GROUP_2 + b"\x02\x01\x02"
    path = pki.key.parent / "dh1024.pem"
    encoded = base64.encodebytes(b"\x30\x81" + bytes([len(number)]) + number).decode()
    path.write_text(f"-----BEGIN DH PARAMETERS-----\n{encoded}-----END DH PARAMETERS-----\n")
    return path


@with_openssl
@pytest.mark.parametrize(
    ("flag", "curves"),
    [("-tls1_2", ["secp521r1", "prime256v1"]), ("-tls1_3", ["prime256v1", "secp521r1"])],
)
def test_the_curves_a_listener_takes_in_its_order(pki: Pki, flag: str, curves: list[str]) -> None:
    """In TLS 1.3 a curve with a client's key share comes first: it saves a round trip."""
    with openssl_server(pki, flag, "-groups", "P-521:P-256", "-serverpref") as port:
        scan = probe(
            "127.0.0.1", port, server_name=NAME, ca_file=pki.ca, versions=["TLSv1.2", "TLSv1.3"]
        )
    accepting = next(version_scan for version_scan in scan.versions if version_scan.accepted)
    assert [group.openssl for group in accepting.groups] == curves


def test_a_single_curve_and_the_control_that_refuses_another(pki: Pki) -> None:
    with python_tls(pki, "ECDHE-RSA-AES256-GCM-SHA384") as port:
        assert agreed(port, ECDHE, groups=[0x17]).group == GROUPS[0x17]
        refused = handshake(
            ListenerAddress("127.0.0.1", port, NAME, 5.0), "TLSv1.2", [ECDHE], groups=[0x0013]
        )
    assert not isinstance(refused, Agreed)
    assert refused.conclusive


def test_every_curve_has_two_names_and_a_size() -> None:
    assert all(GROUPS[code].iana and GROUPS[code].openssl and GROUPS[code].bits for code in CURVES)
    assert len({group.iana for group in GROUPS.values()}) == len(GROUPS)
