"""Every request is answered: never with a 500 for a bad one, never with a Python message."""

import json
import socket
import ssl
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testbed import api_models
from testbed.aws import shapes
from testbed.kms.base import USER_ACCOUNT
from tests.support.aws_endpoint import Served, refusal, scope

pytestmark = [
    pytest.mark.containers,
    pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning"),
]
SLOWLY = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TEXT = st.text(max_size=20) | st.sampled_from(
    [
        "",
        "b-1",
        "alias/a",
        "ACTIVEMQ",
        "RabbitMQ",
        "\0",
        "\ud800",
        "a" * 5000,
        "../..",
        "arn:aws:mq:::broker:x:y",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXT,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXT, children, max_size=3),
    max_leaves=6,
)
# Requests that would create or delete a broker are not tried at random.
UNWANTED = {"CreateBroker", "DeleteBroker", "RebootBroker", "UpdateBroker"}


def sound(served: Served, status: int, body: bytes) -> None:
    assert status != 500, (body, served.log)
    assert b"Traceback" not in body
    assert b"object has no attribute" not in body
    assert served.log == []


@pytest.mark.parametrize(
    ("name", "target"), [("kms", "TrentService"), ("cloudtrail", "CloudTrail_20131101")]
)
@SLOWLY
@given(data=st.data())
def test_aws_json_with_any_members(
    aws: Served, name: str, target: str, data: st.DataObject
) -> None:
    operation = data.draw(st.sampled_from([*api_models.operations(name).values()]))
    members = sorted(operation.input_shape.members) if operation.input_shape else []
    document = data.draw(st.dictionaries(st.sampled_from(members or ["x"]), JSON) | JSON)
    answer = aws.send(
        "POST",
        "/",
        json.dumps(document).encode(),
        service=name,
        headers={"X-Amz-Target": f"{target}.{operation.name}"},
    )
    sound(aws, answer.status, answer.body)
    assert answer.status == 200 or answer.document["__type"].endswith("Exception"), answer


@SLOWLY
@given(data=st.data())
def test_rest_json_with_any_path_query_and_members(aws: Served, data: st.DataObject) -> None:
    operation = data.draw(
        st.sampled_from(
            [
                operation
                for name, operation in api_models.operations("mq").items()
                if name not in UNWANTED
            ]
        )
    )
    path, query, wire = operation.http["requestUri"], [], []
    for name, shape in operation.input_shape.members.items() if operation.input_shape else ():
        text = data.draw(TEXT | st.integers().map(str))
        match shape.serialization.get("location"):
            case "uri":
                path = path.replace(
                    f"{{{shapes.wire_name(name, shape)}}}",
                    quote(text.encode("utf-8", "replace"), safe=""),
                )
            case "querystring" if data.draw(st.booleans()):
                query.append(
                    f"{shapes.wire_name(name, shape)}={quote(text.encode('utf-8', 'replace'))}"
                )
            case _:
                wire.append(shapes.wire_name(name, shape))
    body = data.draw(st.dictionaries(st.sampled_from(wire or ["x"]), JSON) | JSON)
    answer = aws.send(
        operation.http["method"],
        f"{path}?{'&'.join(query)}" if query else path,
        json.dumps(body).encode(),
    )
    sound(aws, answer.status, answer.body)
    assert answer.status < 300 or answer.document["message"], answer


@SLOWLY
@given(data=st.data())
def test_create_broker_with_any_members_is_refused(aws: Served, data: st.DataObject) -> None:
    """A required member is missing, so that no broker is created."""
    shape = api_models.operations("mq")["CreateBroker"].input_shape
    wire = sorted(
        shapes.wire_name(name, member)
        for name, member in shape.members.items()
        if name != "HostInstanceType"
    )
    body = data.draw(st.dictionaries(st.sampled_from(wire), JSON))
    answer = aws.send("POST", "/v1/brokers", json.dumps(body).encode())
    sound(aws, answer.status, answer.body)
    assert (answer.status, answer.headers["X-Amzn-ErrorType"]) == (400, "BadRequestException")


@SLOWLY
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]),
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60).map(
        lambda text: f"/{text}"
    ),
    service=st.sampled_from(["kms", "mq", "cloudtrail", "sts", "ec2", "s3"]),
    target=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    kind=st.sampled_from(
        ["application/x-amz-json-1.1", "application/x-www-form-urlencoded", "application/json", ""]
    ),
    body=st.binary(max_size=300),
)
def test_any_bytes_for_any_service(
    aws: Served, method: str, path: str, service: str, target: str, kind: str, body: bytes
) -> None:
    answer = aws.send(
        method, path, body, service=service, headers={"X-Amz-Target": target, "Content-Type": kind}
    )
    sound(aws, answer.status, answer.body)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                b"GET ",
                b"POST ",
                b"/",
                b" HTTP/1.1",
                b"\r\n",
                b"Content-Length: ",
                b"-1",
                b"7",
                b"\0",
                b": ",
            ]
        )
    ).map(b"".join)
)
def test_any_bytes_inside_tls(aws: Served, raw: bytes) -> None:
    trust = ssl.create_default_context(cafile=str(aws.endpoint.ca_file))
    with (
        socket.create_connection(("localhost", aws.endpoint.port), 10) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.settimeout(0.05)
        secured.sendall(raw + b"\r\n\r\n")
        answer = b""
        try:
            while piece := secured.recv(65536):
                answer += piece
        except OSError:  # it waits for more, or has hung up
            pass
        assert b"Traceback" not in answer
        assert not answer.startswith(b"HTTP/1.1 500")
    assert aws.send("GET", "/v1/broker-engine-types").status == 200, "it still serves"
    assert aws.log == []


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 403, "MissingAuthenticationTokenException"),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, 400, "IncompleteSignatureException"),
        (
            {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1"},
            400,
            "IncompleteSignatureException",
        ),
        (
            {"Authorization": scope("mq", USER_ACCOUNT, "mars-north-1")},
            403,
            "InvalidSignatureException",
        ),
        ({"Authorization": scope("rds")}, 404, "UnknownOperationException"),
    ],
)
def test_a_request_that_is_not_signed_for_a_service_here_is_refused(
    aws: Served, headers: dict[str, str], status: int, code: str
) -> None:
    answer = aws.send("GET", "/v1/brokers", headers=headers)
    assert (answer.status, answer.headers["X-Amzn-ErrorType"]) == (status, code)
    assert answer.headers["X-Amzn-RequestId"]
    assert answer.document["message"]


def test_boto3_understands_that_a_service_is_not_here(aws: Served) -> None:
    for service, operation in (
        ("rds", "describe_db_instances"),
        ("s3", "list_buckets"),
        ("lambda", "list_functions"),
        ("dynamodb", "list_tables"),
    ):
        refused = refusal(getattr(aws.client(service), operation))
        assert refused["Code"] == "UnknownOperationException", refused
        assert f"and not {service}." in refused["Message"], refused


def test_those_who_speak_query_are_refused_in_xml(aws: Served) -> None:
    answer = aws.send(
        "POST",
        "/",
        b"Action=DescribeDBInstances",
        service="rds",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status == 404
    assert b"<Code>UnknownOperationException</Code>" in answer.body
