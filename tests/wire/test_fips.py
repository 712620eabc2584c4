"""The FIPS profile: its parts, listeners that accept it, and controls with nothing approved."""

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.documented import fips
from testbed.documented.tls import ACTIVEMQ_SUITES, PROFILES, RABBITMQ_SUITES, TLS13_SUITES
from testbed.pki import Authority
from testbed.wire.connection import ListenerAddress
from testbed.wire.fips import FipsAnswer, ask, ask_all, observed
from testbed.wire.key_exchange import GROUPS, SIGNATURES
from testbed.wire.tls_messages import registry
from tests.support.tls_servers import (
    NAME,
    OPENSSL,
    Pki,
    openssl_server,
    python_tls,
    serving,
)

with_openssl = pytest.mark.skipif(not OPENSSL, reason="needs the openssl program")


# The profile


def test_its_values_are_those_of_the_registries() -> None:
    assert [registry()[suite.code] for suite in fips.SUITES] == list(fips.SUITES)
    assert len({suite.code for suite in fips.SUITES}) == len(fips.SUITES)
    assert all(GROUPS[code].iana == name for code, name in fips.GROUPS.items())
    assert all(SIGNATURES[code].iana == name for code, name in fips.SIGNATURES.items())


def test_nothing_that_is_not_approved_is_in_it() -> None:
    for part in (
        "CHACHA20",
        "3DES",
        "RC4",
        "NULL",
        "MD5",
        "_anon_",
        "CAMELLIA",
        "ARIA",
        "TLS_RSA_",
        "_DSS_",
        "_PSK_",
        "EXPORT",
    ):
        assert not [suite.iana for suite in fips.SUITES if part in suite.iana], part
    assert not {"x25519", "x448", "secp256k1"} & set(fips.GROUPS.values())
    assert not [name for name in fips.SIGNATURES.values() if "sha1" in name or "sha224" in name]


def test_of_activemqs_suites_those_with_key_transport_are_outside_and_of_rabbitmqs_none() -> None:
    outside = [suite.iana for suite in ACTIVEMQ_SUITES if fips.why_outside(suite)]
    assert outside == [suite.iana for suite in ACTIVEMQ_SUITES if suite.iana.startswith("TLS_RSA_")]
    assert len(outside) == 6
    assert all(
        "disallowed after 2023" in fips.why_outside(suite)
        for suite in ACTIVEMQ_SUITES
        if suite.iana in outside
    )
    assert not [suite for suite in (*RABBITMQ_SUITES, *TLS13_SUITES) if fips.why_outside(suite)]
    assert "not among" in fips.why_outside(registry()[0xCCA8])


def test_cbc_with_sha_1_is_approved_with_a_remark() -> None:
    remarked = [suite.iana for suite in ACTIVEMQ_SUITES if fips.remark(suite)]
    assert remarked == [
        suite.iana
        for suite in ACTIVEMQ_SUITES
        if suite.iana.endswith("_CBC_SHA") and suite.forward_secret
    ]
    assert len(remarked) == 4


# Listeners


def fips_answer(port: int, pki: Pki, version: str = "TLSv1.2") -> FipsAnswer:
    return ask(ListenerAddress("127.0.0.1", port, NAME, 3.0), pki.ca, version)


@pytest.mark.parametrize("engine", ["RABBITMQ", "ACTIVEMQ"])
def test_a_listener_with_the_documented_suites_takes_it(pki: Pki, engine: str) -> None:
    with python_tls(pki, ":".join(suite.openssl for suite in PROFILES[engine].suites)) as port:
        answer = fips_answer(port, pki)
    assert answer.accepted, answer
    assert answer.extended_master_secret, answer
    assert answer.suite in fips.SUITES
    assert answer.group
    assert answer.group.code in fips.GROUPS
    assert answer.key == "RSA 2048"
    sentences = observed(answer)
    assert "it chose TLS_ECDHE_RSA" in sentences[0]
    assert sentences[1].endswith("succeeded")
    assert len(sentences) == 2


def test_tls_1_3_too(pki: Pki) -> None:
    with python_tls(pki, "ALL", "TLSv1_3", "TLSv1_3") as port:
        answer = fips_answer(port, pki, "TLSv1.3")
        assert answer.accepted
        assert answer.suite in TLS13_SUITES
        assert answer.key == "RSA 2048"
        assert not fips_answer(port, pki).accepted


@pytest.mark.parametrize(
    "cipher", ["ECDHE-RSA-CHACHA20-POLY1305", "AES128-SHA", "AES256-GCM-SHA384"]
)
def test_control_a_listener_with_one_suite_that_is_not_approved_refuses(
    pki: Pki, cipher: str
) -> None:
    with python_tls(pki, cipher) as port:
        answer = fips_answer(port, pki)
    assert not answer.accepted
    assert answer.refusal
    assert answer.refusal.kind == "alert"
    assert not answer.completed.accepted
    assert "are refused" in observed(answer)[0]


@with_openssl
def test_control_a_listener_with_x25519_alone_refuses(pki: Pki) -> None:
    with openssl_server(
        pki, "-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384", "-groups", "X25519"
    ) as port:
        assert not fips_answer(port, pki).accepted


@with_openssl
def test_control_a_listener_that_signs_with_sha_1_alone_refuses(pki: Pki) -> None:
    with openssl_server(
        pki, "-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0", "-sigalgs", "RSA+SHA1"
    ) as port:
        assert not fips_answer(port, pki).accepted


def test_control_a_key_of_1024_bits_is_not_approved(tmp_path: Path) -> None:
    authority = Authority.create()
    chain, key, ca = authority.issue_bad("weak-key").write(tmp_path)
    weak = Pki(ca, chain, key)
    with python_tls(weak, "ECDHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0") as port:
        answer = fips_answer(port, weak)
    assert answer.unapproved == ("certificate key RSA 1024",)
    assert not answer.accepted
    assert "not approved: certificate key RSA 1024" in observed(answer)


def test_a_listener_without_the_extended_master_secret_is_reported(pki: Pki) -> None:
    # No server here lacks it; RabbitMQ does (tests/wire/test_brokers.py).
    with python_tls(pki, RABBITMQ_SUITES[0].openssl) as port:
        answer = fips_answer(port, pki)

    assert "does not go on" in observed(replace(answer, extended_master_secret=False))[-1]


def test_several_side_by_side_and_one_without_tls(pki: Pki) -> None:
    with (
        python_tls(pki, RABBITMQ_SUITES[0].openssl) as good,
        serving(lambda connection: None) as bad,
    ):
        answers = ask_all(
            {"good": ("127.0.0.1", good), "bad": ("127.0.0.1", bad)},
            server_name=NAME,
            ca_file=pki.ca,
        )
    assert {name: answer.accepted for name, answer in answers.items()} == {
        "good": True,
        "bad": False,
    }
