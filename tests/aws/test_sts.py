"""STS through the endpoint: sessions, whom they are issued to, and what their records say."""

import json
import time
from collections.abc import Iterator

import pytest

from testbed.account import mfa
from tests.support.aws_endpoint import Served, refusal
from tests.support.identities import (
    ACCOUNT,
    OTHER,
    Person,
    allow,
    client,
    new_role,
    new_user,
    policy,
    served,
    trust,
)

EVERYONE = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("sts") / "state") as served_testbed:
        yield served_testbed


def device(aws: Served, user: str) -> tuple[str, str]:
    """Enable a device for a user, and return its serial number and seed."""
    iam, now = aws.client("iam"), time.time()
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=user)["VirtualMFADevice"]
    serial, seed = made["SerialNumber"], made["Base32StringSeed"].decode()
    iam.enable_mfa_device(
        UserName=user,
        SerialNumber=serial,
        AuthenticationCode1=mfa.code(seed, now - mfa.STEP),
        AuthenticationCode2=mfa.code(seed, now),
    )
    return serial, seed


def identity(aws: Served, person: Person) -> dict[str, object]:
    """Return ``userIdentity`` in the record of someone's call."""
    client(aws, "sts", person).get_caller_identity()
    event = aws.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "AccessKeyId", "AttributeValue": person.access_key_id}]
    )["Events"][0]
    found: dict[str, object] = json.loads(event["CloudTrailEvent"])["userIdentity"]
    return found


def test_everyone_can_ask_who_they_are(aws: Served) -> None:
    person = new_user(aws, "who")
    user_id = aws.client("iam").get_user(UserName="who")["User"]["UserId"]
    answer = client(aws, "sts", person).get_caller_identity()
    assert {name: answer[name] for name in ("Arn", "UserId", "Account")} == {
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/who",
        "UserId": user_id,
        "Account": ACCOUNT,
    }
    assert aws.client("sts", OTHER).get_caller_identity()["Arn"] == f"arn:aws:iam::{OTHER}:root"


def test_a_role_is_assumed_by_whom_it_trusts_and_who_may(aws: Served) -> None:
    role = new_role(aws, "ops", EVERYONE)
    may = new_user(aws, "may", allow("sts:AssumeRole", resource=role))
    may_not = new_user(aws, "may-not", allow("mq:*"))
    answer = client(aws, "sts", may).assume_role(RoleArn=role, RoleSessionName="session")
    session = Person.of(answer["Credentials"])
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/session"
    who = client(aws, "sts", session).get_caller_identity()
    assert who["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert who["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    refused = refusal(
        client(aws, "sts", may_not).assume_role, RoleArn=role, RoleSessionName="session"
    )
    assert (refused["Code"], refused["Status"]) == ("AccessDenied", 403)
    assert refused["Message"] == (
        f"User: arn:aws:iam::{ACCOUNT}:user/may-not is not authorized to perform: "
        f"sts:AssumeRole on resource: {role}"
    )
    aws.client("iam").update_assume_role_policy(RoleName="ops", PolicyDocument=trust(OTHER))
    assert (
        refusal(client(aws, "sts", may).assume_role, RoleArn=role, RoleSessionName="session")[
            "Code"
        ]
        == "AccessDenied"
    )


def test_a_trust_policy_that_names_the_user_is_enough(aws: Served) -> None:
    person = new_user(aws, "named")
    role = new_role(aws, "for-named", f"arn:aws:iam::{ACCOUNT}:user/named")
    client(aws, "sts", person).assume_role(RoleArn=role, RoleSessionName="session")


def test_a_role_of_another_account_needs_both_sides(aws: Served) -> None:
    iam = aws.client("iam", OTHER)
    arn = iam.create_role(RoleName="shared", AssumeRolePolicyDocument=trust(ACCOUNT))["Role"]["Arn"]
    without = new_user(aws, "without")
    assert refusal(client(aws, "sts", without).assume_role, RoleArn=arn, RoleSessionName="session")
    with_it = new_user(aws, "with-it", allow("sts:AssumeRole", resource=arn))
    answer = client(aws, "sts", with_it).assume_role(RoleArn=arn, RoleSessionName="session")
    session = Person.of(answer["Credentials"])
    assert client(aws, "sts", session).get_caller_identity()["Account"] == OTHER
    assert (
        aws.client("sts").get_access_key_info(AccessKeyId=session.access_key_id)["Account"] == OTHER
    )


def test_both_accounts_have_a_record_of_a_role_that_was_assumed(aws: Served) -> None:
    iam = aws.client("iam", OTHER)
    document = trust(ACCOUNT)
    arn = iam.create_role(RoleName="seen", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    person = new_user(aws, "visitor", allow("sts:AssumeRole"))
    client(aws, "sts", person).assume_role(RoleArn=arn, RoleSessionName="session")
    records = []
    for account in (ACCOUNT, OTHER):
        [event] = aws.client("cloudtrail", account).lookup_events(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": arn}]
        )["Events"]
        records.append(json.loads(event["CloudTrailEvent"]))
    own, theirs = records
    assert own["sharedEventID"] == theirs["sharedEventID"]
    assert own["eventID"] != theirs["eventID"]
    assert (own["recipientAccountId"], theirs["recipientAccountId"]) == (ACCOUNT, OTHER)
    assert own["userIdentity"]["type"] == "IAMUser"
    assert theirs["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": own["userIdentity"]["principalId"],
        "accountId": ACCOUNT,
    }


def test_root_assumes_no_role_and_nobody_an_unknown_one(aws: Served) -> None:
    role = new_role(aws, "for-root", EVERYONE)
    refused = refusal(aws.client("sts").assume_role, RoleArn=role, RoleSessionName="session")
    assert refused["Message"] == "Roles may not be assumed by root accounts."
    person = new_user(aws, "seeker", allow("sts:*"))
    refused = refusal(
        client(aws, "sts", person).assume_role, RoleArn=f"{role}-none", RoleSessionName="session"
    )
    assert refused["Code"] == "AccessDenied"


def test_external_id_tags_and_source_identity_are_conditions(aws: Served) -> None:
    iam = aws.client("iam")
    conditions = {
        "StringEquals": {
            "sts:ExternalId": "secret-handshake",
            "aws:RequestTag/team": "blue",
            "sts:SourceIdentity": "alice",
        }
    }
    iam.create_role(
        RoleName="conditional", AssumeRolePolicyDocument=trust(ACCOUNT, Condition=conditions)
    )
    arn = f"arn:aws:iam::{ACCOUNT}:role/conditional"
    sts = client(aws, "sts", new_user(aws, "conditional", allow("sts:*")))
    complete = {
        "RoleArn": arn,
        "RoleSessionName": "session",
        "ExternalId": "secret-handshake",
        "Tags": [{"Key": "team", "Value": "blue"}],
        "SourceIdentity": "alice",
    }
    for missing in ("ExternalId", "Tags", "SourceIdentity"):
        partial = {name: value for name, value in complete.items() if name != missing}
        assert refusal(sts.assume_role, **partial)["Code"] == "AccessDenied", missing
    answer = sts.assume_role(**complete)
    assert answer["SourceIdentity"] == "alice"
    session = identity(aws, Person.of(answer["Credentials"]))["sessionContext"]
    assert isinstance(session, dict)
    assert session["sourceIdentity"] == "alice"


def test_the_case_of_tag_keys_does_not_count(aws: Served) -> None:
    role = new_role(aws, "chained", EVERYONE, allow("sts:*"))
    sts = client(aws, "sts", new_user(aws, "chain", allow("sts:*")))
    session = {"RoleArn": role, "RoleSessionName": "session"}
    blue = {"Key": "Team", "Value": "blue"}
    for tags, word in (
        ([], "must be included"),
        ([{"Key": "other", "Value": "x"}], "must be included"),
        ([blue, {"Key": "TEAM", "Value": "red"}], "Duplicate"),
    ):
        refused = refusal(sts.assume_role, **session, Tags=tags, TransitiveTagKeys=["team"])
        assert refused["Code"] == "InvalidParameterValue"
        assert word in refused["Message"]
    answer = sts.assume_role(**session, Tags=[blue], TransitiveTagKeys=["team"])
    next_sts = client(aws, "sts", Person.of(answer["Credentials"]))
    next_sts.assume_role(**session)
    refused = refusal(next_sts.assume_role, **session, Tags=[{"Key": "TEAM", "Value": "red"}])
    assert "conflicts with a transitive tag key" in refused["Message"]


def test_durations_have_limits(aws: Served) -> None:
    role = new_role(aws, "short", EVERYONE)
    sts = client(aws, "sts", new_user(aws, "hurry", allow("sts:*")))
    session = {"RoleArn": role, "RoleSessionName": "session"}
    refused = refusal(sts.assume_role, **session, DurationSeconds=7200)
    assert refused["Message"] == (
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    )
    aws.client("iam").update_role(RoleName="short", MaxSessionDuration=7200)
    sts.assume_role(**session, DurationSeconds=7200)


def test_a_code_of_the_own_device_gives_a_session_with_mfa_once(aws: Served) -> None:
    person = new_user(aws, "careful", allow("sts:*"))
    serial, seed = device(aws, "careful")
    sts = client(aws, "sts", person)
    plain = Person.of(sts.get_session_token()["Credentials"])
    given = {"SerialNumber": serial, "TokenCode": mfa.code(seed, time.time())}
    strong = Person.of(sts.get_session_token(**given)["Credentials"])
    assert identity(aws, person).keys() & {"sessionContext"} == set()
    for session, expected in ((plain, "false"), (strong, "true")):
        who = identity(aws, session)
        assert (who["type"], who["userName"]) == ("IAMUser", "careful")
        context = who["sessionContext"]
        assert isinstance(context, dict)
        assert context["attributes"]["mfaAuthenticated"] == expected
    again = refusal(sts.get_session_token, **given)
    assert again["Message"] == (
        "MultiFactorAuthentication failed with invalid MFA one time pass code. "
    )
    other = new_user(aws, "thief", allow("sts:*"))
    stolen = {**given, "TokenCode": mfa.code(seed, time.time() + mfa.STEP)}
    refused = refusal(client(aws, "sts", other).get_session_token, **stolen)
    assert "unable to validate MFA code" in refused["Message"]


def test_a_trust_policy_may_want_a_code(aws: Served) -> None:
    wanted = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    aws.client("iam").create_role(
        RoleName="guarded", AssumeRolePolicyDocument=trust(ACCOUNT, Condition=wanted)
    )
    person = new_user(aws, "guard", allow("sts:*"))
    serial, seed = device(aws, "guard")
    sts = client(aws, "sts", person)
    session = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/guarded", "RoleSessionName": "session"}
    assert refusal(sts.assume_role, **session)["Code"] == "AccessDenied"
    code = mfa.code(seed, time.time())
    answer = sts.assume_role(**session, SerialNumber=serial, TokenCode=code)
    context = identity(aws, Person.of(answer["Credentials"]))["sessionContext"]
    assert isinstance(context, dict)
    assert context["attributes"]["mfaAuthenticated"] == "true"
    assert context["sessionIssuer"]["userName"] == "guarded"


def test_sessions_without_a_code_have_no_access_to_iam(aws: Served) -> None:
    person = new_user(aws, "administrator", allow("*"))
    serial, seed = device(aws, "administrator")
    sts = client(aws, "sts", person)
    given = {"SerialNumber": serial, "TokenCode": mfa.code(seed, time.time())}
    federated = sts.get_federation_token(Name="visitor", Policy=policy(allow("*")))
    for answer in (sts.get_session_token(), federated):
        session = Person.of(answer["Credentials"])
        assert refusal(client(aws, "iam", session).list_users)["Code"] == "InvalidClientTokenId"
    with_code = Person.of(sts.get_session_token(**given)["Credentials"])
    assert client(aws, "iam", with_code).list_users()["Users"]
    role = new_role(aws, "of-nobody-federated", EVERYONE)
    visitor = client(aws, "sts", Person.of(federated["Credentials"]))
    refused = refusal(visitor.assume_role, RoleArn=role, RoleSessionName="session")
    assert refused["Code"] == "AccessDenied"


def test_sessions_get_no_session_tokens(aws: Served) -> None:
    person = new_user(aws, "nested", allow("sts:*"))
    session = Person.of(client(aws, "sts", person).get_session_token()["Credentials"])
    refused = refusal(client(aws, "sts", session).get_session_token)
    assert refused["Message"] == "Cannot call GetSessionToken with session credentials"


def test_a_federated_user_is_recorded_with_its_issuer(aws: Served) -> None:
    person = new_user(aws, "broker", allow("sts:GetFederationToken"))
    answer = client(aws, "sts", person).get_federation_token(
        Name="visitor", Policy=policy(allow("mq:ListBrokers"))
    )
    who = identity(aws, Person.of(answer["Credentials"]))
    assert (who["type"], who["arn"]) == (
        "FederatedUser",
        f"arn:aws:sts::{ACCOUNT}:federated-user/visitor",
    )
    context = who["sessionContext"]
    assert isinstance(context, dict)
    user = aws.client("iam").get_user(UserName="broker")["User"]
    assert context["sessionIssuer"]["userName"] == "broker"
    assert context["sessionIssuer"]["principalId"] == user["UserId"]


def test_a_session_ends_with_its_user_whatever_comes_after(aws: Served) -> None:
    iam, person = aws.client("iam"), new_user(aws, "gone")
    session = Person.of(client(aws, "sts", person).get_session_token()["Credentials"])
    iam.delete_access_key(UserName="gone", AccessKeyId=person.access_key_id)
    iam.delete_user(UserName="gone")
    iam.create_user(UserName="gone")
    refused = refusal(client(aws, "sts", session).get_caller_identity)
    assert refused["Code"] == "InvalidClientTokenId"


def test_a_federated_user_of_the_root_may_what_its_policy_says(aws: Served) -> None:
    answer = aws.client("sts").get_federation_token(
        Name="guest", Policy=policy(allow("mq:ListBrokers"))
    )
    guest = Person.of(answer["Credentials"])
    mq = client(aws, "mq", guest)
    assert mq.list_brokers()["BrokerSummaries"] == []
    assert refusal(mq.list_configurations)["Code"] == "AccessDeniedException"
    context = identity(aws, guest)["sessionContext"]
    assert isinstance(context, dict)
    assert (context["sessionIssuer"]["type"], context["sessionIssuer"]["arn"]) == ("Root", EVERYONE)


def test_what_is_recorded_of_a_session_is_not_its_secret(aws: Served) -> None:
    role = new_role(aws, "watched", EVERYONE)
    person = new_user(aws, "watched", allow("sts:*"))
    answer = client(aws, "sts", person).assume_role(RoleArn=role, RoleSessionName="canary")
    event = aws.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "AccessKeyId", "AttributeValue": person.access_key_id}]
    )["Events"][0]["CloudTrailEvent"]
    recorded = json.loads(event)
    assert recorded["requestParameters"] == {"roleArn": role, "roleSessionName": "canary"}
    credentials = recorded["responseElements"]["credentials"]
    assert credentials["accessKeyId"] == answer["Credentials"]["AccessKeyId"]
    assert answer["Credentials"]["SecretAccessKey"] not in event


def test_other_operations_are_refused_in_plain_words(aws: Served) -> None:
    refused = refusal(aws.client("sts").decode_authorization_message, EncodedMessage="x")
    assert refused["Message"].startswith("The testbed has AssumeRole, ")
