"""What looks personal or confidential, and the names of organisations, which do not."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.advice import personal
from testbed.advice.personal import MASK, mask, recognise

FOUND = {
    "an e-mail address": [
        "jane.doe@example.com",
        "Jane Doe <jane@example.com>",
        "owner jane+mq@mail.example.co.uk, till 2027",
        "mailto:jane@example.com",
        "jane\uff20example.com",
        "jürgen@example.de",
        "arn:aws:sts::123456789012:assumed-role/Developer/jane.doe@example.com",
    ],
    "a phone number": [
        "555-123-4567",
        "(555) 123-4567",
        "1-800-555-0199",
        "555.123.4567",
        "call_555_123_4567",
        "+49 171 2345678",
        "+4930123456789",
        "+1 (555) 123-4567",
        "tel-0301234567890",
        "phone 030 1234567",
        "Fax: 0049-171-2345678",
        "call-0301234567890",
    ],
    "a card number": [
        "4111111111111111",
        "4111 1111 1111 1111",
        "orders-5500-0000-0000-0004",
        "378282246310005",
        "3782 822463 10005",
    ],
    "a bank account number": [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "payout-GB82-WEST-1234-5698-7654-32",
        "NO9386011117947",
    ],
    "an access key id": [
        "AKIAIOSFODNN7EXAMPLE",
        "orders-AKIAIOSFODNN7EXAMPLE-2",
        "ASIAIOSFODNN7EXAMPLE",
    ],
    "a secret": [
        "ghp_" + "a1B2" * 9,
        "glpat-" + "x1Y2" * 5,
        "xoxb-1234567890-abcdefghij",
        "sk_live_" + "4eC39HqL" * 3,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----",
        "password=hunter22",
        "api-key: 0a1b2c3d4e",
    ],
    "a URL with credentials": [
        "amqps://orders:s3cret@broker.example.com:5671/%2f",
        "see https://jane:hunter2@wiki.example.com/mq",
    ],
}
# Names, user names and tags as organisations have them.
CLEAN = [
    # words
    "orders",
    "Orders_2",
    "a1",
    "team-7-shop-42",
    "jane.doe",
    "svc_orders~blue",
    "Please call the platform team",
    "phone-gateway",
    "password-rotation",
    "tel",
    # UUIDs and hashes
    "1234abcd-12ab-34cd-56ef-1234567890ab",
    "orders-1234abcd-12ab-34cd-56ef-1234567890ab",
    "55512345-6789-4012-8345-555123456789",
    "1234abcd_12ab_34cd_56ef_1234567890ab",
    "mrk-1234abcd12ab34cd56ef1234567890ab",
    "deadbeef" * 4,
    "9c1185a5c5e9fc54612808977ee8f548b2258d31",
    "sha256:" + "0123456789abcdef" * 4,
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    # ARNs, resources and accounts of AWS
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws-us-gov:iam::123456789012:role/service-role/orders-555-123",
    "arn:aws:mq:eu-central-1:123456789012:broker:orders:b-1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:cloudformation:us-east-1:123456789012:stack/mq/51af3dc0-da77-11e4-872e-1234567b6a52",
    "billing-123456789012",
    "1234-5678-9012",
    "subnet-0123456789abcdef0,subnet-0fedcba9876543210",
    "vol-049df61146c4d7901",
    "sg-1234567890",
    "ami-5551234567",
    "Z3M3LMPEXAMPLE",
    "AKIA",
    "AKIA-orders",
    # networks and hosts
    "10.0.0.0/16",
    "192.168.100.0/24,172.16.0.0/12",
    "2001:db8:1234:5678::/64",
    "ip-192-168-100-200",
    "ip-10-0-0-1.eu-central-1.compute.internal",
    "203.0.113.255:5671",
    "b-1234abcd-12ab-34cd-56ef-1234567890ab.mq.us-east-1.amazonaws.com",
    "rabbit@node-1",
    "rabbit@ip-10-0-0-1.ec2.internal",
    "orders@payments.svc.cluster.local",
    "00:1b:44:11:3a:b7",
    "mq01.prod.example.com",
    # costs, projects, tickets and documents
    "4711",
    "CC-100200",
    "cost-center-12345678",
    "1000-200-300",
    "0010-200-3000",
    "100-200-3000",
    "PRJ-2026-000123",
    "JIRA-123456",
    "INC0012345678",
    "CHG0030002",
    "978-3-16-148410-0",
    "PO 4500012345",
    "0000123456",
    "DE123456789",
    "AB12CD34EF56GH78",
    # dates, times and versions
    "20260801",
    "nightly-2026-08-01",
    "nightly-20260801-120000",
    "2026-08-01T12:00:00+02:00",
    "2026-08-01T12:00:00+0200",
    "20260801120000",
    "test-1754038923",
    "test-1754038923000",
    "call-1754038923",
    "call-20260801-120000",
    "v5-19-9",
    "3.13.7-2",
    "1.2.3+20260801",
    "1.20.300+build.4567890",
    # long numbers
    "5551234567",
    "123456789012345",
    "1234567890123456",
    "1754038923000000",
    "175928847299117063",
    "98765432109876543210",
    "orders-5551234567",
    # sources, and references to secrets
    "https://github.com/acme/orders",
    "git@github.com:acme/orders.git",
    "ssh://git@git.example.com/acme/orders.git",
    "@acme/orders@1.2.3",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/orders@sha256:0123456789abcdef",
    "password: arn:aws:secretsmanager:us-east-1:123456789012:secret:mq-AbC123",
    "password = /prod/mq/orders1",
    "{{resolve:secretsmanager:mq:SecretString:password:1}}",
    "amqps://broker.example.com:5671/%2f",
]


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in FOUND.items() for text in texts]
)
def test_what_looks_private_is_recognised_and_masked(kind: str, text: str) -> None:
    assert recognise(text) == (kind,)
    assert recognise(mask(text)) == ()
    assert MASK in mask(text)


@pytest.mark.parametrize("text", CLEAN)
def test_an_organisations_name_is_clean(text: str) -> None:
    assert recognise(text) == ()
    assert mask(text) == text


def test_several_kinds_are_all_named() -> None:
    assert recognise("Jane <jane@example.com>, +49 171 2345678") == (
        "an e-mail address",
        "a phone number",
    )
    assert mask("Jane <jane@example.com>, +49 171 2345678") == f"Jane <ja{MASK}>, +4{MASK}"


@pytest.mark.parametrize(
    ("key", "value", "kinds"),
    [
        ("phone", "030 1234567", ("a phone number",)),
        ("on-call-tel", "4930123456789", ("a phone number",)),
        ("password", "s3cret-of-mq", ("a secret",)),
        ("mq-api-key", "0a1b2c3d4e", ("a secret",)),
        ("account", "4930123456789", ()),
        ("password", "see the wiki", ()),
        ("password", "arn:aws:secretsmanager:us-east-1:123456789012:secret:mq-AbC123", ()),
        ("password-policy", "90-days", ()),
        ("jane@example.com", "orders", ()),
        ("owner", "jane@example.com", ("an e-mail address",)),
    ],
)
def test_a_tags_key_tells_what_its_value_is(key: str, value: str, kinds: tuple[str, ...]) -> None:
    assert recognise(value, key) == kinds


def test_every_kind_has_examples_and_a_row_of_the_page() -> None:
    kinds = {kind.name for kind in personal._KINDS}
    assert kinds == FOUND.keys()
    page = (Path(__file__).resolve().parents[2] / "docs" / "advice.md").read_text()
    rows = re.findall(r"^\| ([\w -]+) \|", page, re.MULTILINE)
    assert set(rows) - {"kind"} == {kind.partition(" ")[2] for kind in kinds}


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_can_be_looked_at(text: str, label: str) -> None:
    recognise(text, label)
    mask(text)


@given(st.uuids(), st.sampled_from(["", "orders-", "b-", "arn:aws:kms:us-east-1:1:key/"]))
def test_no_uuid_is_taken_for_anything_else(uuid: object, prefix: str) -> None:
    assert recognise(f"{prefix}{uuid}") == ()


@given(st.ip_addresses(), st.integers(0, 32))
def test_no_address_is_taken_for_anything_else(address: object, bits: int) -> None:
    assert recognise(f"{address}/{bits}") == ()


@given(st.integers(0, 10**12 - 1))
def test_no_account_id_is_taken_for_anything_else(account: int) -> None:
    assert recognise(f"billing-{account:012}") == ()
    assert recognise(f"arn:aws:iam::{account:012}:root") == ()
