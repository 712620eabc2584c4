"""The check of a broker's key, by a real KMS; the broker has no containers."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from testbed.broker import grants, topology
from testbed.broker.encryption import BrokerKey
from testbed.broker.maintenance import key_problem
from testbed.broker.model import Broker
from testbed.documented.grants import grants as shapes_of
from testbed.errors import KmsError
from testbed.kms.base import USER, USER_ACCOUNT
from testbed.storage import volumes
from tests.support.brokers_offline import request
from tests.support.key_policies import ROOT, allow, deny, document
from tests.support.kms_authority import Authority, container, over

pytestmark = pytest.mark.containers


@pytest.fixture(params=["EBS", "EFS"])
def created(request: pytest.FixtureRequest, tmp_path: Any) -> tuple[Authority, Broker]:
    """Return KMS, and a broker with a data key and grants on a key of the user's."""
    aws = over(container(), tmp_path / "state")
    return aws, create(aws, request.param)


def create(aws: Authority, storage_type: str) -> Broker:
    engine_type = "ACTIVEMQ" if storage_type == "EFS" else "RABBITMQ"
    asked = replace(request(engine_type), storage_type=storage_type)
    key = BrokerKey(aws.key(), "CUSTOMER_MANAGED")
    broker = topology.plan(asked, USER, "an-image", key, datetime.now(UTC)).with_state("RUNNING")
    shapes = shapes_of(broker.deployment_mode, broker.storage_type, broker.region)
    made = tuple(grants.create_service_grants(aws.kms, USER, key.arn, shapes))
    [node] = broker.nodes
    volume = volumes.create(aws.kms, key.arn, node.volume.volume_id, broker.arn)
    made += tuple(grants.create_volume_grants(aws.kms, broker, shapes, [volume.volume_id]))
    return replace(broker, nodes=(replace(node, volume=volume),), grants=made)


def put(aws: Authority, broker: Broker, *statements: dict[str, Any]) -> None:
    policy = document(allow(ROOT), *statements)
    aws.call(USER, "PutKeyPolicy", KeyId=broker.key_arn, Policy=policy)


def test_a_deny_of_decrypt_by_context_is_noticed_until_it_goes(
    created: tuple[Authority, Broker],
) -> None:
    aws, broker = created
    [node] = broker.nodes
    [(name, volume_id)] = volumes.context(node.volume.volume_id).items()
    context = f"kms:EncryptionContext:{name}"
    assert key_problem(aws.kms, broker) == ""
    for condition, denied in (
        ({"StringEquals": {context: volume_id}}, True),
        ({"StringEquals": {context: f"{volume_id}0"}}, False),
        ({"StringNotEquals": {"kms:ViaService": "mq.us-east-1.amazonaws.com"}}, True),
        ({"StringEquals": {"kms:ViaService": "mq.us-east-1.amazonaws.com"}}, False),
        ({"ArnEquals": {"aws:SourceArn": broker.arn}}, True),
        ({"ArnNotEquals": {"aws:SourceArn": broker.arn}}, False),
        ({"StringEquals": {"aws:SourceAccount": USER_ACCOUNT}}, True),
        ({"StringNotEquals": {"aws:SourceAccount": USER_ACCOUNT}}, False),
    ):
        put(aws, broker, deny("*", "kms:Decrypt", Condition=condition))
        problem = key_problem(aws.kms, broker)
        assert bool(problem) is denied, (condition, problem)
        assert ("explicit deny in a resource-based policy" in problem) is denied
        put(aws, broker)
        assert key_problem(aws.kms, broker) == ""


def test_a_policy_may_name_the_service_for_one_broker_alone(
    created: tuple[Authority, Broker],
) -> None:
    """Instead of grants: what Amazon MQ does in a broker's name has the broker's ARN."""
    aws, broker = created
    mine = {"ArnLike": {"aws:SourceArn": broker.arn}}
    service = {"Service": ["mq.amazonaws.com", "elasticfilesystem.amazonaws.com"]}
    put(aws, broker, allow(service, "kms:Decrypt", Condition=mine))
    for grant in broker.grants:
        aws.call(USER, "RevokeGrant", KeyId=broker.key_arn, GrantId=grant.grant_id)
    aws.clock.turn(2 * 3600)
    [node] = broker.nodes
    volumes.check_data_key(aws.kms, node.volume, broker.arn)
    with pytest.raises(KmsError, match="AccessDenied"):
        volumes.check_data_key(aws.kms, node.volume, broker.arn.replace("offline", "other"))


def test_a_disabled_key_and_a_lost_grant_are_named_as_such(
    created: tuple[Authority, Broker],
) -> None:
    aws, broker = created
    put(aws, broker, deny("*", "kms:Decrypt"))
    aws.call(USER, "RevokeGrant", KeyId=broker.key_arn, GrantId=broker.grants[-1].grant_id)
    aws.clock.turn(2 * 3600)
    assert f"lacks the {broker.grants[-1].name}" in key_problem(aws.kms, broker)
    aws.call(USER, "DisableKey", KeyId=broker.key_arn)
    aws.clock.turn(2 * 3600)
    assert key_problem(aws.kms, broker) == f"The KMS key {broker.key_arn} is disabled."
