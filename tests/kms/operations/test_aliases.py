"""Names of keys: what an alias may be called, and the ones that AWS predefines."""

import pytest

from testbed.kms.base import USER, Caller
from tests.support.kms_authority import DAY, Authority

pytestmark = pytest.mark.containers

PREFIX = (
    'Alias must start with the prefix "alias/". Please see '
    "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
)
FRESH = Caller("arn:aws:iam::555500000001:root", "555500000001", "Root")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("alias/my:alias", "alias/my:alias contains invalid characters for an alias"),
        ("alias/", "alias/ contains invalid characters for an alias"),
        ("my", PREFIX),
    ],
)
def test_names_that_no_alias_can_have(aws: Authority, name: str, sentence: str) -> None:
    key = aws.key()
    for operation, target in (
        ("CreateAlias", {"TargetKeyId": key}),
        ("UpdateAlias", {"TargetKeyId": key}),
        ("DeleteAlias", {}),
    ):
        refusal = aws.refusal(USER, operation, AliasName=name, **target)
        assert str(refusal) == f"ValidationException: {sentence}", operation


def test_awss_own_aliases_are_not_for_customers(aws: Authority) -> None:
    key = {"TargetKeyId": aws.key()}
    for name in ("alias/aws/mq", "alias/aws/mine"):
        code = aws.code(USER, "CreateAlias", AliasName=name, **key)
        assert code == "NotAuthorizedException"
    aws.call(USER, "DescribeKey", KeyId="alias/aws/mq")
    for operation, target in (("UpdateAlias", key), ("DeleteAlias", {})):
        code = aws.code(USER, operation, AliasName="alias/aws/mq", **target)
        assert code == "AccessDeniedException", operation


def test_an_alias_names_a_key_and_no_alias(aws: Authority) -> None:
    key = aws.key()
    first, second = f"alias/{key[-12:]}/a_b-c", f"alias/{key[-12:]}/2"
    aws.call(USER, "CreateAlias", AliasName=first, TargetKeyId=key)
    for target in (first, f"arn:aws:kms:us-east-1:{USER.account}:{first}"):
        assert (
            str(aws.refusal(USER, "CreateAlias", AliasName=second, TargetKeyId=target))
            == "ValidationException: Aliases must refer to keys. Not aliases"
        )
    listed = aws.call(USER, "ListAliases", KeyId=key)["Aliases"]
    assert [alias["AliasName"] for alias in listed] == [first]
    assert listed[0]["TargetKeyId"] == key.rpartition("/")[2]


def test_the_dates_of_an_alias_are_by_the_testbeds_clock(aws: Authority) -> None:
    keys = (aws.key(), aws.key())
    alias = f"alias/{keys[0][-12:]}"

    def dates() -> list[float]:
        [entry] = [
            entry
            for key in keys
            for entry in aws.call(USER, "ListAliases", KeyId=key)["Aliases"]
            if entry["AliasName"] == alias
        ]
        return [entry[name].timestamp() for name in ("CreationDate", "LastUpdatedDate")]

    aws.clock.turn(90 * DAY)
    now = aws.clock.now()
    aws.call(USER, "CreateAlias", AliasName=alias, TargetKeyId=keys[0])
    created, updated = dates()
    assert created == updated == pytest.approx(now, abs=60)
    aws.clock.turn(DAY)
    aws.call(USER, "UpdateAlias", AliasName=alias, TargetKeyId=keys[1])
    assert dates()[0] == created
    assert dates()[1] == pytest.approx(created + DAY, abs=60)
    aws.call(USER, "DeleteAlias", AliasName=alias)
    aws.call(USER, "CreateAlias", AliasName=alias, TargetKeyId=keys[0])
    assert min(dates()) >= updated + DAY - 60, "the new alias is not the old one"


def test_the_predefined_aliases_have_no_key_until_they_are_named(aws: Authority) -> None:
    def listed() -> dict[str, str | None]:
        aliases = aws.call(FRESH, "ListAliases")["Aliases"]
        return {alias["AliasName"]: alias.get("TargetKeyId") for alias in aliases}

    before = listed()
    assert {"alias/aws/ebs", "alias/aws/mq", "alias/aws/s3"} <= before.keys()
    assert set(before.values()) == {None}
    assert aws.call(FRESH, "ListKeys")["Keys"] == []

    described = aws.call(FRESH, "DescribeKey", KeyId="alias/aws/mq")["KeyMetadata"]
    assert (described["KeyManager"], described["KeyState"]) == ("AWS", "Enabled")
    assert listed() == {**before, "alias/aws/mq": described["KeyId"]}
    again = aws.call(FRESH, "DescribeKey", KeyId="alias/aws/mq")["KeyMetadata"]
    assert again["KeyId"] == described["KeyId"]
    assert aws.code(FRESH, "DisableKey", KeyId=described["KeyId"]) == "AccessDeniedException"
    assert aws.code(FRESH, "DescribeKey", KeyId="alias/aws/none") == "NotFoundException"
