"""``EncryptionOptions`` to a usable key, on the real KMS: a refusal creates nothing."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from testbed.broker import encryption, grants
from testbed.broker.encryption import EncryptionOptions, resolve
from testbed.documented import grants as documented
from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import BadRequestException, KmsError, VolumeRefused
from testbed.kms.base import MQ, SERVICE_ACCOUNT, USER, USER_ACCOUNT, Caller, Kms
from testbed.kms.localstack import LocalStackKms
from testbed.storage import volumes
from tests.support.kms_authority import DELAY, GRANTEE, OTHER_ACCOUNT, Authority, over
from tests.support.kms_container import localstack

pytestmark = pytest.mark.containers


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """Start a separate LocalStack, because the tests count what KMS holds."""
    with localstack() as container:
        container.start()
        yield over(container, tmp_path_factory.mktemp("kms") / "state", delay=0.0)


def options_with(key_id: str) -> EncryptionOptions:
    return EncryptionOptions(use_aws_owned_key=False, kms_key_id=key_id)


def new_key(kms: Kms, **parameters: object) -> str:
    return str(kms.call(USER, "CreateKey", parameters)["KeyMetadata"]["KeyId"])


def inventory(kms: Kms) -> tuple[object, ...]:
    """Return every key with its state, every alias and every grant of both accounts."""
    entries: list[object] = []
    for account in (USER, MQ):
        for key in kms.call(account, "ListKeys", {"Limit": 1000})["Keys"]:
            metadata = kms.call(account, "DescribeKey", {"KeyId": key["KeyId"]})["KeyMetadata"]
            grants = kms.call(account, "ListGrants", {"KeyId": key["KeyId"]})["Grants"]
            entries.append((key["KeyArn"], metadata["KeyState"], len(grants)))
        entries += [alias["AliasArn"] for alias in kms.call(account, "ListAliases", {})["Aliases"]]
    return tuple(entries)


def listed(kms: Kms, caller: Caller = USER) -> set[str]:
    return {key["KeyArn"] for key in kms.call(caller, "ListKeys", {"Limit": 1000})["Keys"]}


# Accepted


def test_no_options_mean_the_aws_owned_key_which_the_user_does_not_see(aws: Authority) -> None:
    first, again = (
        resolve(aws.kms, USER, EncryptionOptions()),
        resolve(aws.kms, USER, EncryptionOptions()),
    )

    assert first == again
    assert first.ownership == "AWS_OWNED"
    assert first.arn.startswith(f"arn:aws:kms:{DEFAULT_REGION}:{SERVICE_ACCOUNT}:key/")
    assert first.arn not in listed(aws.kms)
    assert first.arn in listed(aws.kms, MQ)


def test_the_aws_managed_key_is_made_on_first_use_in_the_users_account_and_reused(
    aws: Authority,
) -> None:
    aliases = aws.kms.call(USER, "ListAliases", {})["Aliases"]
    [predefined] = [alias for alias in aliases if alias["AliasName"] == "alias/aws/mq"]
    assert "TargetKeyId" not in predefined

    first, again = (
        resolve(aws.kms, USER, options_with("")),
        resolve(aws.kms, USER, options_with("")),
    )

    assert first == again
    assert first.ownership == "AWS_MANAGED"
    assert first.arn.startswith(f"arn:aws:kms:{DEFAULT_REGION}:{USER_ACCOUNT}:key/")
    metadata = aws.kms.call(USER, "DescribeKey", {"KeyId": "alias/aws/mq"})["KeyMetadata"]
    assert (metadata["Arn"], metadata["KeyManager"]) == (first.arn, "AWS")
    assert resolve(aws.kms, USER, options_with("alias/aws/mq")) == first, (
        "it is the same when named as a customer's key"
    )
    assert aws.code(USER, "DisableKey", KeyId=first.arn) == "AccessDeniedException"


def test_first_use_by_many_at_once_makes_one_key(aws: Authority) -> None:
    caller = Caller("arn:aws:iam::111111111111:root", "111111111111", "Root")
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: resolve(aws.kms, caller, options_with("")), range(8)))
    assert len(keys) == 1
    assert listed(aws.kms, caller) == {key.arn for key in keys}


def test_a_customers_key_is_found_by_id_arn_and_alias(aws: Authority) -> None:
    key = new_key(aws.kms)
    aws.kms.call(USER, "CreateAlias", {"AliasName": "alias/by-alias", "TargetKeyId": key})
    arn = f"arn:aws:kms:{DEFAULT_REGION}:{USER_ACCOUNT}:key/{key}"

    for name in (
        key,
        arn,
        "alias/by-alias",
        f"arn:aws:kms:{DEFAULT_REGION}:{USER_ACCOUNT}:alias/by-alias",
    ):
        resolved = resolve(aws.kms, USER, options_with(name))
        assert (resolved.arn, resolved.ownership) == (arn, "CUSTOMER_MANAGED")


# Refused

MISSING = "00000000-0000-4000-8000-000000000000"


def pending_deletion(kms: Kms) -> str:
    key = new_key(kms)
    kms.call(USER, "ScheduleKeyDeletion", {"KeyId": key, "PendingWindowInDays": 7})
    return key


def disabled(kms: Kms) -> str:
    key = new_key(kms)
    kms.call(USER, "DisableKey", {"KeyId": key})
    return key


def of_another_account(kms: Kms, policy: str = "") -> str:
    """Create a key in another account; with ``policy``, the user may use it nevertheless."""
    answer = kms.call(GRANTEE, "CreateKey", {"Policy": policy} if policy else {})
    return str(answer["KeyMetadata"]["Arn"])


OPEN = json.dumps(
    {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": [USER_ACCOUNT, OTHER_ACCOUNT]},
                "Action": "kms:*",
                "Resource": "*",
            }
        ]
    }
)


REFUSED = {
    "RSA": (
        lambda kms: new_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"),
        "symmetric encryption keys only.*RSA_2048",
    ),
    "RSA for signing": (
        lambda kms: new_key(kms, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY"),
        "RSA_2048 with KeyUsage SIGN_VERIFY",
    ),
    "ECC": (
        lambda kms: new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
        "symmetric encryption keys only.*ECC_NIST_P256",
    ),
    "HMAC": (
        lambda kms: new_key(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
        "HMAC_256 with KeyUsage GENERATE_VERIFY_MAC",
    ),
    "missing": (lambda kms: MISSING, f"NotFoundException: .*{MISSING}.* does not exist"),
    "missing alias": (lambda kms: "alias/nobody", "NotFoundException: .*alias/nobody"),
    "another region": (
        lambda kms: f"arn:aws:kms:eu-west-1:{USER_ACCOUNT}:key/{new_key(kms)}",
        "NotFoundException",
    ),
    "disabled": (disabled, "its state is Disabled .DisabledException: .* is disabled"),
    "pending deletion": (
        pending_deletion,
        "its state is PendingDeletion .KMSInvalidStateException: .* is pending deletion",
    ),
    "another account": (
        of_another_account,
        "AccessDeniedException: .* is not authorized to perform: kms:DescribeKey",
    ),
    "pending import": (lambda kms: new_key(kms, Origin="EXTERNAL"), "its state is PendingImport"),
    "not a key": (
        lambda kms: "arn:aws:sqs:us-east-1:000000000000:queue",
        "is not a KMS key id, key ARN, alias name or alias ARN",
    ),
    "a word": (lambda kms: "my-key", "'my-key' is not a KMS key id"),
}


@pytest.mark.parametrize(("make", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_a_key_that_does_not_fit_is_refused_and_nothing_is_made(
    aws: Authority, make: Any, sentence: str
) -> None:
    key = make(aws.kms)
    before = inventory(aws.kms)

    with pytest.raises(BadRequestException, match=sentence) as refusal:
        resolve(aws.kms, USER, options_with(key))

    assert refusal.value.status == 400
    assert refusal.value.error_attribute == "encryptionOptions"
    assert inventory(aws.kms) == before


def test_control_the_same_keys_fit_once_what_was_wrong_is_put_right(aws: Authority) -> None:
    before = inventory(aws.kms)
    off, doomed = disabled(aws.kms), pending_deletion(aws.kms)
    aws.kms.call(USER, "CancelKeyDeletion", {"KeyId": doomed})
    for key in (off, doomed):
        aws.kms.call(USER, "EnableKey", {"KeyId": key})
        assert resolve(aws.kms, USER, options_with(key)).arn.endswith(key)
    assert len(inventory(aws.kms)) == len(before) + 2, "and the inventory sees a new key"


def test_a_key_that_was_just_disabled_is_refused_though_it_still_works(aws: Authority) -> None:
    slow = over(aws.container, aws.state.folder, delay=DELAY)
    key = disabled(slow.kms)
    slow.encrypt(key)
    with pytest.raises(BadRequestException, match=r"its state is Disabled\.(\n|$)"):
        resolve(slow.kms, USER, options_with(key))


def test_a_key_beside_the_aws_owned_one_is_a_contradiction(aws: Authority) -> None:
    with pytest.raises(BadRequestException, match="together with UseAwsOwnedKey") as refusal:
        resolve(
            aws.kms, USER, EncryptionOptions(use_aws_owned_key=True, kms_key_id=new_key(aws.kms))
        )
    assert "UseAwsOwnedKey to false" in refusal.value.hint


def test_an_outage_is_not_the_customers_fault() -> None:
    for options in (EncryptionOptions(), options_with(""), options_with(MISSING)):
        with pytest.raises(KmsError, match="does not answer"):
            resolve(LocalStackKms("http://127.0.0.1:9"), USER, options)


class AliasTaken:
    """KMS where another process takes the alias between our lookup and our CreateAlias."""

    def __init__(self, kms: Kms) -> None:
        self.kms = kms
        self.theirs = ""

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "CreateAlias" and not self.theirs:
            self.theirs = self.kms.call(caller, "CreateKey", {})["KeyMetadata"]["Arn"]
            self.kms.call(
                caller, operation, {**parameters, "TargetKeyId": self.theirs.rsplit("/")[-1]}
            )
        return self.kms.call(caller, operation, parameters)


def test_the_process_that_comes_second_uses_the_firsts_key_and_drops_its_own(
    aws: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "AWS_OWNED_ALIAS", "alias/owned-by-aws/race")
    race, before = AliasTaken(aws.kms), listed(aws.kms, MQ)

    assert resolve(race, USER, EncryptionOptions()).arn == race.theirs

    (loser,) = listed(aws.kms, MQ) - before - {race.theirs}
    assert (
        aws.kms.call(MQ, "DescribeKey", {"KeyId": loser})["KeyMetadata"]["KeyState"]
        == "PendingDeletion"
    )


def test_a_key_of_another_account_takes_its_policy_or_a_grant(aws: Authority) -> None:
    """The creator names the key by its ARN, and makes Amazon MQ's grants on it in a session."""
    shapes = documented.grants("SINGLE_INSTANCE", "EBS", USER.region)
    [service] = [shape for shape in shapes if not shape.of_volume]
    opened, granted, closed = (
        of_another_account(aws.kms, OPEN),
        of_another_account(aws.kms),
        of_another_account(aws.kms),
    )
    aws.grant(granted, USER.principal, *service.operations, by=GRANTEE)
    for arn in (opened, granted):
        assert resolve(aws.kms, USER, options_with(arn)).arn == arn
        [grant] = grants.create_service_grants(aws.kms, USER, arn, shapes)
        listed = aws.call(GRANTEE, "ListGrants", KeyId=arn)["Grants"]
        assert grant.grant_id in {entry["GrantId"] for entry in listed}
        volume = volumes.create(aws.kms, arn, "vol-0123456789abcdef0")
        assert volumes.open_data_key(aws.kms, volume)
        aws.call(GRANTEE, "RevokeGrant", KeyId=arn, GrantId=grant.grant_id)
        with pytest.raises(VolumeRefused):
            volumes.open_data_key(aws.kms, volume)
    with pytest.raises(KmsError, match="AccessDeniedException"):
        next(grants.create_service_grants(aws.kms, USER, closed, shapes))
