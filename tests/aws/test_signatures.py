"""A known access key has to sign what it sends; an unknown one need not, unless it has to."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from testbed.account import known_keys
from testbed.aws.endpoint import Endpoint
from tests.support.aws_endpoint import Answer, Served, refusal
from tests.support.identities import ACCOUNT, Person, allow, client, new_role, new_user, served

GO_PROGRAM = Path(__file__).resolve().parents[1] / "support" / "go_sdk"
INVALID = "The security token included in the request is invalid."
WHO = b"Action=GetCallerIdentity&Version=2011-06-15"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("signatures") / "state") as served_testbed:
        yield served_testbed


@pytest.fixture(scope="module")
def alice(aws: Served) -> Person:
    return new_user(aws, "alice", allow("*"))


def signed(
    aws: Served,
    person: Person,
    service: str = "sts",
    body: bytes = WHO,
    *,
    late: timedelta = timedelta(0),
    headers: Mapping[str, str] = {},
) -> dict[str, str]:
    """Return the headers of a POST, signed for a time."""
    request = AWSRequest(
        "POST",
        aws.endpoint.url + "/",
        headers={"Content-Type": FORM, "Host": f"localhost:{aws.endpoint.port}", **headers},
        data=body,
    )
    request.context["timestamp"] = f"{datetime.now(UTC) - late:%Y%m%dT%H%M%SZ}"
    signer = SigV4Auth(
        Credentials(person.access_key_id, person.secret, person.token or None), service, "us-east-1"
    )
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    signer._inject_signature_to_request(
        request, signer.signature(signer.string_to_sign(request, canonical), request)
    )
    return dict(request.headers.items())


def send(aws: Served, headers: dict[str, str], body: bytes = WHO, path: str = "/") -> Answer:
    return aws.send("POST", path, body, headers=headers)


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("sts", "SignatureDoesNotMatch", 403),
        ("iam", "SignatureDoesNotMatch", 403),
        ("kms", "InvalidSignatureException", 400),
        ("cloudtrail", "InvalidSignatureException", 400),
        ("mq", "InvalidSignatureException", 403),
    ],
)
def test_a_wrong_secret_is_refused_as_each_service_says_it(
    aws: Served, alice: Person, service: str, code: str, status: int
) -> None:
    calls: dict[str, str] = {
        "sts": "get_caller_identity",
        "iam": "list_users",
        "kms": "list_keys",
        "cloudtrail": "lookup_events",
        "mq": "list_brokers",
    }
    wrong = client(aws, service, replace(alice, secret="x" * 40))
    refused = refusal(getattr(wrong, calls[service]))
    assert (refused["Code"], refused["Status"]) == (code, status)
    assert refused["Message"].startswith("The request signature we calculated does not match")
    if service != "kms":  # control; there is no KMS here
        getattr(client(aws, service, alice), calls[service])()


def test_queries_and_paths_are_part_of_what_is_signed(aws: Served, alice: Person) -> None:
    mq = client(aws, "mq", alice)
    mq.list_brokers(MaxResults=5)
    odd = {"resourceArn": f"arn:aws:mq:us-east-1:{ACCOUNT}:broker:a b/ü~*:b-1"}
    assert refusal(mq.list_tags, ResourceArn=odd["resourceArn"])["Code"] == "NotFoundException"
    mq.describe_broker_instance_options(EngineType="RABBITMQ", MaxResults=5)


def test_what_was_changed_on_the_way_is_refused(aws: Served, alice: Person) -> None:
    headers = signed(aws, alice)
    assert send(aws, headers).status == 200
    assert b"SignatureDoesNotMatch" in send(aws, headers, WHO + b"&x=y").body
    assert b"SignatureDoesNotMatch" in send(aws, headers, path="/?x=y").body
    assert b"SignatureDoesNotMatch" in send(aws, {**headers, "Content-Type": "x/y"}).body
    hashed = signed(aws, alice, headers={"X-Amz-Content-SHA256": hashlib.sha256(WHO).hexdigest()})
    assert send(aws, hashed).status == 200
    assert b"SignatureDoesNotMatch" in send(aws, hashed, WHO + b"&x=y").body


@pytest.mark.parametrize(
    ("late", "sentence"),
    [
        (timedelta(minutes=4), b""),
        (timedelta(minutes=-4), b""),
        (timedelta(minutes=6), b"Signature expired: "),
        (timedelta(minutes=-6), b"Signature not yet current: "),
    ],
)
def test_a_signature_counts_for_five_minutes(
    aws: Served, alice: Person, late: timedelta, sentence: bytes
) -> None:
    answer = send(aws, signed(aws, alice, late=late))
    if sentence:
        assert answer.status == 403
        assert sentence in answer.body
    else:
        assert answer.status == 200


def test_the_host_is_signed_and_the_date_is_the_scopes(aws: Served, alice: Person) -> None:
    headers = signed(aws, alice)
    for part, changed in (("host;", ""), ("SignedHeaders=", "Signed="), ("Signature=", "S=")):
        odd = {**headers, "Authorization": headers["Authorization"].replace(part, changed)}
        assert b"<Code>IncompleteSignature</Code>" in send(aws, odd).body, part
    assert b"IncompleteSignature" in send(aws, {**headers, "X-Amz-Date": "now"}).body
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y%m%d}"
    today = headers["X-Amz-Date"][:8]
    odd = {**headers, "Authorization": headers["Authorization"].replace(today, yesterday)}
    assert b"SignatureDoesNotMatch" in send(aws, odd).body


def test_an_inactive_or_deleted_key_is_unknown(aws: Served) -> None:
    person, iam = new_user(aws, "leaver"), aws.client("iam")
    change = {"UserName": "leaver", "AccessKeyId": person.access_key_id}
    iam.update_access_key(**change, Status="Inactive")
    refused = refusal(client(aws, "sts", person).get_caller_identity)
    assert (refused["Code"], refused["Message"]) == ("InvalidClientTokenId", INVALID)
    refused = refusal(client(aws, "kms", person).list_keys)
    assert (refused["Code"], refused["Message"]) == ("UnrecognizedClientException", INVALID)
    iam.update_access_key(**change, Status="Active")
    client(aws, "sts", person).get_caller_identity()
    iam.delete_access_key(**change)
    refused = refusal(client(aws, "sts", person).get_caller_identity)
    assert refused["Code"] == "InvalidClientTokenId", "and not the root's, as unknown ones are"


def test_a_session_needs_its_token_and_ends(aws: Served, alice: Person) -> None:
    answer = client(aws, "sts", alice).get_session_token(DurationSeconds=900)
    session = Person.of(answer["Credentials"])
    assert client(aws, "sts", session).get_caller_identity()["Arn"].endswith("user/alice")
    for odd in (replace(session, token=""), replace(session, token=session.token[::-1])):
        refused = refusal(client(aws, "sts", odd).get_caller_identity)
        assert refused["Code"] == "InvalidClientTokenId"
    assert refusal(client(aws, "sts", replace(alice, token="x")).get_caller_identity)
    aws.testbed.clock.turn(901)
    refused = refusal(client(aws, "sts", session).get_caller_identity)
    assert (refused["Code"], refused["Status"]) == ("ExpiredToken", 403)
    assert refused["Message"] == "The security token included in the request is expired"
    refused = refusal(client(aws, "kms", session).list_keys)
    assert (refused["Code"], refused["Status"]) == ("ExpiredTokenException", 400)


def test_a_session_ends_with_its_role(aws: Served, alice: Person) -> None:
    trusted, iam = f"arn:aws:iam::{ACCOUNT}:root", aws.client("iam")
    arn = new_role(aws, "short-lived", trusted)
    answer = client(aws, "sts", alice).assume_role(RoleArn=arn, RoleSessionName="session")
    session = Person.of(answer["Credentials"])
    iam.delete_role(RoleName="short-lived")
    new_role(aws, "short-lived", trusted)
    refused = refusal(client(aws, "sts", session).get_caller_identity)
    assert refused["Code"] == "InvalidClientTokenId"


def test_where_known_keys_are_required_all_others_are_refused(aws: Served, alice: Person) -> None:
    state = aws.testbed.state
    known_keys.require(state, required=True)
    try:
        endpoint = Endpoint.of(aws.testbed, aws.endpoint.port)
        for access_key_id in (ACCOUNT, "AKIAUNKNOWN"):
            unknown = client(aws, "sts", Person(access_key_id, "test"))
            assert refusal(unknown.get_caller_identity)["Code"] == "InvalidClientTokenId"
        key: Any = endpoint.root_key
        root = Person(key.access_key_id, key.secret)
        assert client(aws, "sts", root).get_caller_identity()["Arn"].endswith(":root")
        wrong = replace(root, secret="test")
        assert refusal(client(aws, "sts", wrong).get_caller_identity)
        client(aws, "sts", alice).get_caller_identity()
    finally:
        known_keys.require(state, required=False)
    assert aws.client("sts").get_caller_identity()["Account"] == ACCOUNT
    assert Endpoint.of(aws.testbed, 1).root_key.access_key_id == ACCOUNT


@pytest.mark.nightly("the AWS SDK for Go; every push has botocore's signatures")
def test_the_go_sdk_signs_alike(aws: Served, alice: Person, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("there is no Go on this machine")
    program = tmp_path / "life"
    subprocess.run(["go", "build", "-o", program, "."], cwd=GO_PROGRAM, check=True, timeout=600)
    session = Person.of(client(aws, "sts", alice).get_session_token()["Credentials"])
    for person in (alice, session, replace(session, secret="x" * 40)):
        keys = {
            "AWS_ACCESS_KEY_ID": person.access_key_id,
            "AWS_SECRET_ACCESS_KEY": person.secret,
            "AWS_SESSION_TOKEN": person.token,
        }
        done = subprocess.run(
            [program, "sign"],
            env={**os.environ, **aws.endpoint.environment(), **keys},
            capture_output=True,
            text=True,
            check=False,
        )
        if person.secret.startswith("xxx"):
            assert "SignatureDoesNotMatch" in done.stdout, "control"
        else:
            assert "user/alice" in done.stdout
            assert "NotFoundException" in done.stdout, "ListTags gets as far as the tags"
            assert "Signature" not in done.stdout
