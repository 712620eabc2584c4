"""Every operation of Amazon MQ in every state of a broker, through boto3."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from testbed import api_models
from testbed.aws.endpoint import serve
from testbed.broker.model import Broker, Pending
from testbed.broker.requests import Configuration
from testbed.documented import activemq_elements
from testbed.documented.broker_states import ACCEPTED, STATES
from testbed.documented.engines import (
    DEPLOYMENT_MODES,
    INVALID_KMS_KEY,
    VERSIONS,
    ActionRequired,
)
from testbed.engines.base import User
from tests.support.answers import differences
from tests.support.aws_endpoint import Served, refusal
from tests.support.brokers_offline import KEY, add, offline, request
from tests.support.nightly import first_then_nightly

MODEL = api_models.operations("mq")
PASSWORD = "correct-horse-1"
XML = b'<broker xmlns="http://activemq.apache.org/schema/core"/>'
PARAMETERS: Mapping[str, Callable[[Broker], dict[str, Any]]] = {
    "CreateBroker": lambda broker: {
        "BrokerName": broker.broker_name,
        "DeploymentMode": "SINGLE_INSTANCE",
        "EngineType": broker.engine_type,
        "HostInstanceType": broker.settings["HostInstanceType"],
        "PubliclyAccessible": False,
        "Users": [{"Username": "admin", "Password": PASSWORD}],
    },
    "UpdateBroker": lambda broker: {"Logs": {"General": True}},
    "Promote": lambda broker: {"Mode": "FAILOVER"},
    "DescribeUser": lambda broker: {"Username": "admin"},
    "CreateUser": lambda broker: {"Username": "new", "Password": PASSWORD},
    "UpdateUser": lambda broker: {"Username": "admin", "ConsoleAccess": True},
    "DeleteUser": lambda broker: {"Username": "other"},
    "CreateTags": lambda broker: {"ResourceArn": broker.arn, "Tags": {"team": "orders"}},
    "DeleteTags": lambda broker: {"ResourceArn": broker.arn, "TagKeys": ["team"]},
    "ListTags": lambda broker: {"ResourceArn": broker.arn},
    "CreateConfiguration": lambda broker: {
        "Name": f"of-{broker.broker_name}",
        "EngineType": broker.engine_type,
    },
    "UpdateConfiguration": lambda broker: {
        "Data": base64.b64encode(b"" if broker.engine_type == "RABBITMQ" else XML).decode()
    },
    "DescribeConfigurationRevision": lambda broker: {"ConfigurationRevision": "1"},
}
# What is refused in every state: the name is taken, and the configuration in use.
CONFLICTS = ("CreateBroker", "DeleteConfiguration")
USERS = ("DescribeUser", "CreateUser", "UpdateUser", "DeleteUser")
SIMPLE = ".authenticationStrategy is not in the enumeration: 'simple'"
numbers = count()


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve brokers that have no containers: a job that begins comes to nothing."""
    folder = tmp_path_factory.mktemp("offline") / "state"
    with offline(folder, key_state="Enabled") as testbed, serve(testbed) as endpoint:
        yield Served(testbed, endpoint)


@pytest.fixture(scope="module")
def mq(aws: Served) -> BaseClient:
    return aws.client("mq")


def broker_in(
    aws: Served,
    mq: BaseClient,
    engine_type: str,
    state: str,
    deployment_mode: str = "SINGLE_INSTANCE",
) -> Broker:
    """Return a new broker in ``state``, with a configuration of its own, and a key to match."""
    critical = state == "CRITICAL_ACTION_REQUIRED"
    aws.testbed.kms.state = "Disabled" if critical else "Enabled"  # type: ignore[attr-defined]
    sound = request(engine_type, f"broker-{next(numbers)}")
    users = (*sound.users, *([User("other", PASSWORD)] if engine_type == "ACTIVEMQ" else []))
    asked = replace(sound, users=users, deployment_mode=deployment_mode, storage_type="")
    broker = add(aws.testbed, asked)
    configuration = mq.create_configuration(Name=broker.broker_name, EngineType=engine_type)
    action = ActionRequired(INVALID_KMS_KEY[engine_type], f"The KMS key {KEY} is disabled.")
    return aws.testbed.brokers.amend(
        broker.broker_id,
        lambda stored: replace(
            stored,
            broker_state=state,
            key_problem=action.action_required_info if critical else "",
            actions_required=(action,) if critical else (),
            configuration=Configuration(configuration["Id"], 1, activemq_elements.DEFAULT),
            checked=aws.testbed.clock.now(),
        ),
    )


def call(mq: BaseClient, operation: str, broker: Broker) -> Callable[[], Any]:
    """Return the call of ``operation`` on the broker, or on its configuration."""
    members = MODEL[operation].input_shape.required_members
    given = PARAMETERS.get(operation)
    parameters = given(broker) if given else {}
    assert broker.configuration is not None
    ids = {"BrokerId": broker.broker_id, "ConfigurationId": broker.configuration.id}
    parameters |= {name: value for name, value in ids.items() if name in members}
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation)
    return partial(getattr(mq, name[1:]), **parameters)


def expected(operation: str, engine_type: str, state: str) -> tuple[str, str]:
    """Return the code and a part of the sentence of the refusal; empty if there is none."""
    if operation in CONFLICTS:
        return "ConflictException", ""
    if operation == "Promote":
        return "BadRequestException", "does not offer Promote"
    if operation in USERS and engine_type == "RABBITMQ":
        return "BadRequestException", "not supported for RabbitMQ brokers"
    if state not in ACCEPTED.get(operation, STATES):
        return "BadRequestException", f"while in state [{state}]"
    return "", ""


@pytest.mark.parametrize(
    "engine_type", first_then_nightly(["RABBITMQ", "ACTIVEMQ"], "the other engine")
)
@pytest.mark.parametrize("operation", sorted(MODEL))
def test_an_operation_in_every_state(
    aws: Served, mq: BaseClient, operation: str, engine_type: str
) -> None:
    for state in sorted(STATES):
        broker = broker_in(aws, mq, engine_type, state)
        before = aws.testbed.brokers.peek(broker.broker_id)
        code, sentence = expected(operation, engine_type, state)
        if not code:
            try:
                call(mq, operation, broker)()
            except ClientError as error:
                pytest.fail(f"{operation} is refused in state {state}: {error}")
        else:
            refused = refusal(call(mq, operation, broker))
            assert refused["Code"] == code, (state, refused)
            assert sentence in refused["Message"], (state, refused)
            assert code in [shape.name for shape in MODEL[operation].error_shapes]
            after = aws.testbed.brokers.peek(broker.broker_id)
            assert replace(after, checked=before.checked) == before, "nothing has changed"
        aws.testbed.state.delete("broker", broker.broker_id)  # it would make the lists long


@pytest.mark.parametrize(
    ("engine_type", "deployment_mode"),
    [(engine, mode) for engine, modes in DEPLOYMENT_MODES.items() for mode in modes],
)
def test_the_answers_about_a_broker_are_the_models_in_every_state(
    aws: Served, mq: BaseClient, engine_type: str, deployment_mode: str
) -> None:
    """With everything that can be pending, and in the order of the states."""
    for state in sorted(STATES):
        broker = broker_in(aws, mq, engine_type, state, deployment_mode)
        pending = Pending(
            users=(*broker.users[:1], User("new", PASSWORD, groups=("a",))),
            engine_version=VERSIONS[engine_type][0],
            configuration=broker.configuration,
            settings={"HostInstanceType": "mq.m5.xlarge", "Logs": {"General": True}},
        )
        full = replace(
            broker,
            pending=pending,
            configuration_history=tuple(filter(None, [broker.configuration] * 2)),
            settings={**broker.settings, "Logs": {"General": True}},
        )
        aws.testbed.brokers.amend(broker.broker_id, partial(lambda full, _: full, full))
        path = f"/v1/brokers/{broker.broker_id}"
        for operation, url in {
            "DescribeBroker": path,
            "ListBrokers": "/v1/brokers",
            "ListUsers": f"{path}/users",
            "ListConfigurations": "/v1/configurations",
            "ListTags": f"/v1/tags/{broker.arn}",
            "DescribeSharedResources": f"{path}/shared-resources",
        }.items():
            answer = aws.send("GET", url).document
            found = list(differences(MODEL[operation].output_shape, answer))
            # The service answers in lower case, beside its model.
            assert set(found) <= {SIMPLE, f".configurations[]{SIMPLE}"}, (operation, state)
        assert aws.send("GET", path).document["brokerState"] == state
        aws.testbed.state.delete("broker", broker.broker_id)


@pytest.mark.parametrize(
    ("operation", "state", "message"),
    [
        (
            "DeleteBroker",
            "CREATION_IN_PROGRESS",
            "Broker [{}] can't be deleted while in state [CREATION_IN_PROGRESS]",
        ),
        (
            "RebootBroker",
            "REBOOT_IN_PROGRESS",
            "Broker [{}] can't be rebooted while in state [REBOOT_IN_PROGRESS]",
        ),
        (
            "RebootBroker",
            "CRITICAL_ACTION_REQUIRED",
            (
                "Broker [{}] can't be rebooted while in state [CRITICAL_ACTION_REQUIRED] "
                f"(INVALID_KMS_KEY: The KMS key {KEY} is disabled.)"
            ),
        ),
        (
            "CreateUser",
            "DELETION_IN_PROGRESS",
            "Broker [{}] can't be updated while in state [DELETION_IN_PROGRESS]",
        ),
    ],
)
def test_the_refusal_names_broker_and_state(
    aws: Served, mq: BaseClient, operation: str, state: str, message: str
) -> None:
    broker = broker_in(aws, mq, "ACTIVEMQ", state)
    refused = refusal(call(mq, operation, broker))
    assert refused == {
        "Code": "BadRequestException",
        "Message": message.format(broker.broker_name),
        "ErrorAttribute": "broker-id",
        "Status": 400,
    }
