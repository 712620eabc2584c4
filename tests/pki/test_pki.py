"""The certificates, as OpenSSL, a strict verifier and Java see them."""

import ipaddress
import os
import shutil
import socket
import ssl
import stat
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from freezegun import freeze_time

from testbed.errors import StateBroken, TestbedError
from testbed.pki import Authority, Certificate, bad_names
from testbed.private_files import write_private

HOST = "b-1234.mq.us-east-1.amazonaws.com"
ADDRESSES = ("localhost", "127.0.0.1", "::1")
# X509_V_ERR_..., of OpenSSL's x509_vfy.h
NO_ISSUER, WRONG_PURPOSE, MISMATCH, ADDRESS_MISMATCH = 20, 26, 62, 64
PASSWORD = "store-password-4711"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def broker(authority: Authority) -> Certificate:
    return authority.issue()


def refused_with(
    server: Certificate,
    folder: Path,
    host: str = HOST,
    ca: bytes = b"",
    client: Certificate | None = None,
) -> int:
    """Return the code with which a client's verification fails in a handshake; 0 for success."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.set_ciphers("DEFAULT:@SECLEVEL=0")  # or it would not even load the weak key
    serving.load_cert_chain(*server.write(folder / "server")[:2])
    calling = ssl.create_default_context(cadata=(ca or server.ca_pem).decode())
    if client:
        serving.verify_mode = ssl.CERT_REQUIRED
        serving.load_verify_locations(cadata=server.ca_pem.decode())
        calling.load_cert_chain(*client.write(folder / "client")[:2])
    near, far = socket.socketpair()
    near.settimeout(10)
    far.settimeout(10)

    def serve() -> None:
        try:
            with serving.wrap_socket(far, server_side=True) as secured:
                secured.sendall(b"welcome")
        except OSError:
            pass  # the client's refusal, which the client reports

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with near, calling.wrap_socket(near, server_hostname=host) as secured:
            assert secured.recv(7) == b"welcome"
            return 0
    except ssl.SSLCertVerificationError as error:
        return error.verify_code
    finally:
        thread.join()


@pytest.mark.parametrize("host", [HOST, *ADDRESSES])
def test_a_client_that_trusts_the_authority_connects(
    broker: Certificate, tmp_path: Path, host: str
) -> None:
    assert refused_with(broker, tmp_path, host) == 0


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("b-1234.mq.eu-west-1.amazonaws.com", MISMATCH),
        ("a.b.mq.us-east-1.amazonaws.com", MISMATCH),  # a wildcard is one label
        ("mq.us-east-1.amazonaws.com", MISMATCH),
        ("127.0.0.2", ADDRESS_MISMATCH),
    ],
)
def test_a_client_that_asks_for_another_host_refuses(
    broker: Certificate, tmp_path: Path, host: str, code: int
) -> None:
    assert refused_with(broker, tmp_path, host) == code


def test_a_client_that_trusts_another_authority_refuses(
    broker: Certificate, tmp_path: Path
) -> None:
    assert refused_with(broker, tmp_path, ca=Authority.create().ca_pem) == NO_ISSUER


@pytest.mark.parametrize("defect", bad_names())
def test_each_defect_is_refused_for_what_it_is(
    authority: Authority, tmp_path: Path, defect: str
) -> None:
    certificate = authority.issue_bad(defect)
    assert certificate.profile.refused_with != 0
    assert refused_with(certificate, tmp_path) == certificate.profile.refused_with
    assert certificate.ca_pem == authority.ca_pem  # the client trusts what it always trusts


def test_a_strict_verifier_agrees(authority: Authority, broker: Certificate) -> None:
    verifier = (
        PolicyBuilder().store(Store([authority.root])).build_server_verifier(x509.DNSName(HOST))
    )
    assert len(verifier.verify(broker.leaf, list(broker.sent))) == 3
    for defect in set(bad_names()) - {"weak-key"}:  # it does not check the length of RSA keys
        bad = authority.issue_bad(defect)
        with pytest.raises(VerificationError):
            verifier.verify(bad.leaf, list(bad.sent))


def test_a_broker_certificate_has_the_shape_of_the_services(broker: Certificate) -> None:
    names = broker.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert not names.critical
    assert names.value.get_values_for_type(x509.DNSName) == [
        "*.mq.us-east-1.amazonaws.com",
        "localhost",
    ]
    assert names.value.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address(a) for a in ("127.0.0.1", "::1")
    ]
    assert broker.leaf.subject.rfc4514_string() == "CN=*.mq.us-east-1.amazonaws.com"
    assert list(broker.leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    assert broker.leaf.not_valid_after_utc - broker.leaf.not_valid_before_utc == timedelta(days=397)
    assert broker.leaf.not_valid_before_utc < datetime.now(UTC) - timedelta(hours=23)


def test_it_is_not_dated_by_a_frozen_clock_of_python(authority: Authority) -> None:
    now = datetime.now(UTC)
    with freeze_time("2012-01-14"):
        certificate = authority.issue()
    assert certificate.leaf.not_valid_before_utc < now < certificate.leaf.not_valid_after_utc


def test_only_the_authorities_may_sign(authority: Authority, broker: Certificate) -> None:
    constraints = [
        certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        for certificate in (authority.root, authority.intermediate, broker.leaf)
    ]
    assert [(c.ca, c.path_length) for c in constraints] == [(True, 1), (True, 0), (False, None)]
    with pytest.raises(TestbedError, match="cannot be issued"):
        authority.issue("intermediate")


def test_the_roots_key_is_forgotten(authority: Authority) -> None:
    document = authority.to_document()
    assert authority.key.public_key() != authority.root.public_key()
    assert (
        "".join(document.values()).count("PRIVATE KEY-----") == 2
    )  # one key: its first and its last line


def test_further_names_and_another_region(authority: Authority, tmp_path: Path) -> None:
    assert (
        refused_with(
            authority.issue(names=("broker-1", "10.1.2.3", "localhost")), tmp_path, "10.1.2.3"
        )
        == 0
    )
    elsewhere = Authority.create().issue(region="eu-west-1")
    assert refused_with(elsewhere, tmp_path, "b-1.mq.eu-west-1.amazonaws.com") == 0
    assert refused_with(elsewhere, tmp_path, HOST) == MISMATCH


def test_a_client_certificate_is_accepted_of_clients_only(
    authority: Authority, broker: Certificate, tmp_path: Path
) -> None:
    client = authority.issue("client")
    assert refused_with(broker, tmp_path, client=client) == 0
    assert refused_with(client, tmp_path) == WRONG_PURPOSE


def test_a_loaded_authority_goes_on_where_it_was(
    authority: Authority, broker: Certificate, tmp_path: Path
) -> None:
    again = Authority.from_document(authority.to_document())
    later = again.issue()
    assert refused_with(later, tmp_path, ca=authority.ca_pem) == 0
    assert later.leaf.serial_number != broker.leaf.serial_number
    assert later.key.public_key() != broker.key.public_key()


@pytest.mark.parametrize("part", ["root", "intermediate", "key"])
def test_a_damaged_authority_is_one_clear_error(
    authority: Authority, broker: Certificate, part: str
) -> None:
    document = authority.to_document()
    others = {**Authority.create().to_document(), "key": broker.private_key_pem.decode()}
    for damage in ("", document[part][:200], others[part]):
        with pytest.raises(StateBroken, match="cannot be used") as caught:
            Authority.from_document({**document, part: damage})
        assert "PRIVATE KEY" not in str(caught.value)
    with pytest.raises(StateBroken):
        Authority.from_document({key: value for key, value in document.items() if key != part})


def test_an_unknown_profile_is_answered_with_the_known_ones(authority: Authority) -> None:
    with pytest.raises(TestbedError) as caught:
        authority.issue_bad("../broker")
    assert "wrong-host" in caught.value.hint


def test_keys_are_in_no_printed_form(authority: Authority, broker: Certificate) -> None:
    for printed in (repr(broker), str(broker), repr(authority), str(authority)):
        assert "PrivateKey" not in printed
        assert "PRIVATE KEY" not in printed


def test_files_are_their_owners_alone(
    broker: Certificate, authority: Authority, tmp_path: Path
) -> None:
    previous = os.umask(0)
    try:
        written = broker.write(tmp_path / "tls")
        authority.write_ca(tmp_path / "state" / "ca.pem")
    finally:
        os.umask(previous)
    files = (*written, tmp_path / "state" / "ca.pem")
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in files} == {0o700}
    assert written.ca.read_bytes() == files[3].read_bytes() == authority.ca_pem
    assert written.chain.read_bytes().count(b"BEGIN CERTIFICATE") == 2


def test_a_file_is_replaced_whole_or_left_as_it_was(tmp_path: Path) -> None:
    target, linked = tmp_path / "ca.pem", tmp_path / "other"
    linked.write_bytes(b"somebody's")
    linked.chmod(0o644)
    target.symlink_to(linked)  # a link is replaced, not followed
    write_private(target, b"new")
    assert (target.read_bytes(), linked.read_bytes()) == (b"new", b"somebody's")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StateBroken, match="cannot be written"):
        write_private(tmp_path / "folder", b"a folder is in the way")
    with pytest.raises(StateBroken, match="cannot be written"):
        write_private(target / "ca.pem", b"a file is where the folder should be")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.pem", "folder", "other"]


def keytool_list(store: bytes, folder: Path) -> str:
    (folder / "store.p12").write_bytes(store)
    (folder / "password").write_text(PASSWORD)
    listed = subprocess.run(
        [
            "keytool",
            "-list",
            "-v",
            "-keystore",
            folder / "store.p12",
            "-storetype",
            "PKCS12",
            "-storepass:file",
            folder / "password",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    assert listed.returncode == 0, listed.stdout
    return listed.stdout


@pytest.mark.skipif(not shutil.which("keytool"), reason="needs Java")
def test_java_sees_key_chain_and_authority(broker: Certificate, tmp_path: Path) -> None:
    keystore = keytool_list(broker.keystore_p12(PASSWORD), tmp_path)
    assert "Entry type: PrivateKeyEntry" in keystore
    assert "Certificate chain length: 2" in keystore
    truststore = keytool_list(broker.truststore_p12(PASSWORD), tmp_path)
    assert truststore.count("Entry type: trustedCertEntry") == 1
    # The control: without Oracle's attribute the same certificate is not an entry.
    plain = pkcs12.serialize_key_and_certificates(
        None, None, None, [broker.ca], BestAvailableEncryption(PASSWORD.encode())
    )
    assert "Your keystore contains 0 entries" in keytool_list(plain, tmp_path)
