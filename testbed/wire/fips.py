"""Whether a listener accepts a client that offers only FIPS-approved algorithms.

They are listed in ``documented/fips.py``.
"""

import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from testbed.documented import fips
from testbed.documented.tls import Suite
from testbed.state.clock import machine_datetime
from testbed.wire import certificate
from testbed.wire.connection import Agreed, ListenerAddress, handshake
from testbed.wire.key_exchange import Group, Signature
from testbed.wire.scan import Refusal, Verification
from testbed.wire.tls_messages import offered, suite


@dataclass(frozen=True)
class FipsAnswer:
    """What a listener chose from approved suites, groups and signatures, or its refusal.

    ``completed`` is the outcome of a verified handshake with those suites and the curve P-256.
    Without ``extended_master_secret`` a module submitted for validation since May 2023 would stop.
    ``unapproved`` names what was chosen nevertheless, the certificate's key included.
    """

    version: str
    suite: Suite | None
    group: Group | None
    signature: Signature | None
    refusal: Refusal | None
    completed: Verification
    extended_master_secret: bool
    key: str
    unapproved: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        return self.suite is not None and self.completed.accepted and not self.unapproved


def ask(listener: ListenerAddress, ca_file: Path, version: str = "TLSv1.2") -> FipsAnswer:
    """Offer ``version`` with everything that is approved.

    Never raises for what a listener does. Raises ``ClientError`` for an unreadable file.
    """
    codes = [suite.code for suite in fips.SUITES if suite.code in offered(version)]
    answer = handshake(
        listener, version, codes, groups=list(fips.GROUPS), signatures=list(fips.SIGNATURES)
    )
    completed = _complete(listener, certificate.authority_pem(ca_file), version)
    if isinstance(answer, Refusal):
        return FipsAnswer(
            version=version,
            suite=None,
            group=None,
            signature=None,
            refusal=answer,
            completed=completed,
            extended_master_secret=False,
            key="",
        )
    facts = certificate.facts(
        answer.chain or (certificate.leaf(listener),), len(answer.chain), machine_datetime()
    )
    key = facts.key if facts else ""
    return FipsAnswer(
        version=version,
        suite=suite(answer.server_hello.suite),
        group=answer.group,
        signature=answer.exchange.signature if answer.exchange else None,
        refusal=None,
        completed=completed,
        extended_master_secret=version == "TLSv1.3" or answer.server_hello.extended_master_secret,
        key=key,
        unapproved=tuple(_unapproved(answer, key)),
    )


def ask_all(
    addresses: Mapping[str, tuple[str, int]],
    *,
    server_name: str,
    ca_file: Path,
    version: str = "TLSv1.2",
    timeout: float = 5.0,
) -> dict[str, FipsAnswer]:
    """Ask several listeners (name -> host, port) side by side."""

    def one(address: tuple[str, int]) -> FipsAnswer:
        return ask(ListenerAddress(*address, server_name, timeout), ca_file, version)

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(addresses, pool.map(one, addresses.values()), strict=True))


def _complete(listener: ListenerAddress, authority: str, version: str) -> Verification:
    context = ssl.create_default_context(cadata=authority)
    context.minimum_version = context.maximum_version = {
        "TLSv1.2": ssl.TLSVersion.TLSv1_2,
        "TLSv1.3": ssl.TLSVersion.TLSv1_3,
    }[version]
    # TLS 1.3's suites cannot be chosen here; OpenSSL's are approved, except for ChaCha20.
    context.set_ciphers(":".join(suite.openssl for suite in fips.SUITES if "_WITH_" in suite.iana))
    context.set_ecdh_curve("prime256v1")
    return certificate.complete(listener, context)


def _unapproved(answer: Agreed, key: str) -> list[str]:
    unapproved = []
    group = answer.group
    if (
        group
        and group.code not in fips.GROUPS
        and (group.openssl, group.bits) not in [(f"modp_{bits}", bits) for bits in fips.MODP_BITS]
    ):
        unapproved.append(f"group {group.iana}")
    if (
        answer.exchange
        and answer.exchange.signature
        and answer.exchange.signature.code not in fips.SIGNATURES
    ):
        unapproved.append(f"signature {answer.exchange.signature.iana}")
    kind, _, bits = key.partition(" ")
    if (
        (kind == "RSA" and int(bits) < fips.RSA_BITS)
        or (kind == "EC" and bits not in ("secp256r1", "secp384r1", "secp521r1"))
        or kind not in ("RSA", "EC")
    ):
        unapproved.append(f"certificate key {key or 'unknown'}")
    return unapproved


def observed(answer: FipsAnswer) -> tuple[str, ...]:
    """Describe the answer, a sentence each: evidence for a finding."""
    if answer.refusal:
        return (f"{answer.version}: approved algorithms alone are refused ({answer.refusal})",)
    chosen = ", ".join(part.iana for part in (answer.suite, answer.group, answer.signature) if part)
    lines = [
        (
            f"{answer.version}: of approved algorithms alone it chose {chosen}; "
            f"certificate key {answer.key or 'unknown'}"
        ),
    ]
    lines += [f"not approved: {name}" for name in answer.unapproved]
    completed = answer.completed
    outcome = "succeeded" if completed.accepted else f"failed: {completed.reason}"
    lines.append(f"a whole handshake with them {outcome}")
    if not answer.extended_master_secret:
        lines.append(
            "no extended master secret: a module that FIPS 140-3 IG D.Q applies to "
            "(submitted since May 2023) does not go on"
        )
    return tuple(lines)
