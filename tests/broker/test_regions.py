"""Brokers in another Region and under keys of other Regions and accounts, with real nodes."""

import socket
import ssl
from dataclasses import replace

import pytest

from testbed import Key, RabbitMqBroker
from testbed.broker.encryption import EncryptionOptions
from testbed.broker.model import Broker
from testbed.errors import BadRequestException
from testbed.kms.base import USER_ACCOUNT, root
from testbed.testbed import Testbed
from tests.support.key_policies import allow, document

pytestmark = pytest.mark.containers

EUROPE, OTHER_ACCOUNT = "eu-central-1", "222222222222"


def greets(broker: Broker, name: str, ca_file: str) -> bool:
    """Return whether the AMQP listener has a certificate for ``name`` that the CA vouches for."""
    endpoint = broker.endpoint("amqp")
    trust = ssl.create_default_context(cafile=ca_file)
    try:
        with (
            socket.create_connection((endpoint.host, endpoint.port), 10) as plain,
            trust.wrap_socket(plain, server_hostname=name),
        ):
            return True
    except ssl.SSLCertVerificationError:
        return False


@pytest.mark.nightly("a replica key; every push has scenario key_disabled")
def test_a_broker_under_a_replica_goes_by_the_replicas_state(testbed: Testbed) -> None:
    primary = Key(testbed, testbed.new_key("primary", MultiRegion=True))
    answer = primary.call("ReplicateKey", ReplicaRegion=EUROPE)
    replica = Key(testbed, answer["ReplicaKeyMetadata"]["Arn"])
    with RabbitMqBroker(testbed=testbed, key=replica) as broker:
        assert broker.region == EUROPE
        described = broker.describe()
        assert f":{EUROPE}:{USER_ACCOUNT}:broker:" in described["BrokerArn"]
        assert described["EncryptionOptions"]["KmsKeyId"] == replica.arn

        stored = testbed.brokers.peek(broker.broker_id)
        name = f"{broker.broker_id}.mq.{EUROPE}.amazonaws.com"
        assert stored.nodes[0].hostname == name
        assert greets(stored, name, str(broker.ca_file))
        elsewhere = name.replace(EUROPE, testbed.region)
        assert not greets(stored, elsewhere, str(broker.ca_file)), "control: another Region"

        retiring = replica.call("ListGrants")["Grants"]
        assert {grant["RetiringPrincipal"] for grant in retiring} == {
            "mq.amazonaws.com",
            f"ec2.{EUROPE}.amazonaws.com",
        }

        primary.disable()
        testbed.wait_out_delay()
        assert broker.state == "RUNNING", "the primary is another key"
        replica.disable()
        testbed.wait_out_delay()
        assert broker.state == "CRITICAL_ACTION_REQUIRED"
        with pytest.raises(BadRequestException):
            broker.reboot()
        replica.enable()
        assert broker.state == "RUNNING"
        broker.reboot()
        assert broker.state == "RUNNING"


@pytest.mark.nightly("a key of another account")
def test_a_broker_of_one_account_under_a_key_of_another(testbed: Testbed) -> None:
    """The key's policy lets the account make grants, which Amazon MQ then uses."""
    creator = root(OTHER_ACCOUNT, EUROPE)
    owner = replace(testbed.user, region=EUROPE)
    accounts = [f"arn:aws:iam::{account}:root" for account in (USER_ACCOUNT, OTHER_ACCOUNT)]
    policy = document(allow({"AWS": accounts}))
    closed = testbed.new_key("for its own account", region=EUROPE)
    opened = testbed.new_key("for another one", region=EUROPE, Policy=policy)
    request = testbed.request("RABBITMQ", "across", closed)
    with pytest.raises(BadRequestException, match="AccessDeniedException"):
        testbed.brokers.begin_create(request, creator)
    assert testbed.brokers.peek_all(creator) == (), "control: nothing is left behind"

    options = EncryptionOptions(use_aws_owned_key=False, kms_key_id=opened)
    with testbed.temporary_broker(replace(request, encryption_options=options), creator) as broker:
        assert f":{EUROPE}:{OTHER_ACCOUNT}:broker:" in broker.arn
        grants = testbed.kms.call(owner, "ListGrants", {"KeyId": opened})["Grants"]
        assert f"arn:aws:iam::{OTHER_ACCOUNT}:root" in {each["IssuingAccount"] for each in grants}
        testbed.kms.call(owner, "DisableKey", {"KeyId": opened})
        testbed.wait_out_delay()
        assert testbed.upkeep.check(broker.broker_id).broker_state == "CRITICAL_ACTION_REQUIRED"
        testbed.kms.call(owner, "EnableKey", {"KeyId": opened})
        assert testbed.upkeep.check(broker.broker_id).broker_state == "RUNNING"
        testbed.brokers.reboot(broker.broker_id, creator)
    assert testbed.kms.call(owner, "ListGrants", {"KeyId": opened})["Grants"] == []
