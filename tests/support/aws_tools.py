"""boto3 and the AWS CLI as one interface: ``call`` an operation in one Region."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from testbed.aws.endpoint import Endpoint
from tests.support.answers import differences
from tests.support.aws_endpoint import ONCE

# What the service itself answers beside its model (TF).
BESIDE_THE_MODEL = (
    "engineType is not in the enumeration: 'ActiveMQ'",
    "engineType is not in the enumeration: 'RabbitMQ'",
    "authenticationStrategy is not in the enumeration: 'simple'",
)


class Refused(Exception):
    """The endpoint refused a call; ``code`` is AWS's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Tool(Protocol):
    """A client of AWS in one Region."""

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """Call an operation by its name in the model. Raises ``Refused``."""


@dataclass
class Boto3:
    """boto3; ``beside_the_model`` has what no answer should have."""

    endpoint: Endpoint
    region: str
    beside_the_model: list[str] = field(default_factory=list)

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        options = {**self.endpoint.client(), "region_name": self.region}
        client = boto3.client(service, **options, config=ONCE)
        client.meta.events.register("before-parse", self._compare)
        try:
            answer: Mapping[str, Any] = getattr(client, xform_name(operation))(**parameters)
        except ClientError as error:
            raise Refused(error.response["Error"]["Code"]) from error
        return answer

    def _compare(
        self, operation_model: OperationModel, response_dict: dict[str, Any], **_: Any
    ) -> None:
        if response_dict["status_code"] < 300 and operation_model.service_model.metadata[
            "protocol"
        ] in ("json", "rest-json"):
            answer = json.loads(response_dict["body"] or b"{}")
            self.beside_the_model += [
                f"{operation_model.name}{difference}"
                for difference in differences(operation_model.output_shape, answer)
                if not difference.endswith(BESIDE_THE_MODEL)
            ]


@dataclass(frozen=True)
class Cli:
    """The AWS CLI, of whatever version is installed. Skips the test where none is."""

    endpoint: Endpoint
    region: str

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        command = shutil.which("aws")
        if command is None:
            pytest.skip("there is no AWS CLI on this machine")
        done = subprocess.run(
            [
                *(command, service, xform_name(operation, "-")),
                *("--region", self.region, "--output", "json"),
                *("--cli-input-json", json.dumps(parameters)),
            ],
            env={**os.environ, **self.endpoint.environment(), "AWS_PAGER": ""},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            assert "An error occurred (" in done.stderr, done.stderr
            raise Refused(done.stderr.partition("An error occurred (")[2].partition(")")[0])
        answer: Mapping[str, Any] = json.loads(done.stdout or "{}")
        return answer
