"""The endpoint over a testbed, with clients: boto3's, and bare ones for odd requests."""

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPSConnection
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config

from testbed.aws.endpoint import Endpoint
from testbed.documented.regions import DEFAULT_REGION
from testbed.kms.base import USER_ACCOUNT
from testbed.testbed import Testbed

OTHER_ACCOUNT = "222222222222"
ONCE = Config(retries={"total_max_attempts": 1}, max_pool_connections=20)


@dataclass
class Served:
    """An endpoint; ``log`` has what went wrong on its side."""

    testbed: Testbed
    endpoint: Endpoint
    log: list[str] = field(default_factory=list)
    _clients: dict[tuple[str, str, str], BaseClient] = field(default_factory=dict)

    def client(
        self, service: str, account: str = USER_ACCOUNT, region: str = DEFAULT_REGION
    ) -> BaseClient:
        """Return a client, the same for the same parameters: a new one takes some milliseconds."""
        chosen = {"aws_access_key_id": account, "region_name": region}
        if (key := (service, account, region)) not in self._clients:
            of_endpoint = {**self.endpoint.client(), **chosen}
            self._clients[key] = boto3.client(service, **of_endpoint, config=ONCE)
        return self._clients[key]

    def connect(self, timeout: float = 60) -> HTTPSConnection:
        return HTTPSConnection(
            "localhost", self.endpoint.port, context=self._trust, timeout=timeout
        )

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.endpoint.ca_file))

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        service: str = "mq",
        account: str = USER_ACCOUNT,
        headers: Mapping[str, str] = {},
    ) -> "Answer":
        """Send a request, signed as far as the endpoint checks."""
        connection = self.connect()
        try:
            connection.request(
                method, path, body, {"Authorization": scope(service, account), **headers}
            )
            response = connection.getresponse()
            return Answer(response.status, response.read(), dict(response.getheaders()))
        finally:
            connection.close()

    def call(self, target: str, parameters: object, **rest: Any) -> "Answer":
        """Call an operation of AWS JSON, such as ``TrentService.ListKeys``."""
        service = "kms" if target.startswith("TrentService") else "cloudtrail"
        return self.send(
            "POST",
            "/",
            json.dumps(parameters).encode(),
            service=service,
            headers={"X-Amz-Target": target},
            **rest,
        )


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def scope(service: str, account: str = USER_ACCOUNT, region: str = DEFAULT_REGION) -> str:
    credential = f"{account}/20260101/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"


def refusal(call: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
    """Return ``Code``, ``Message``, ``ErrorAttribute`` and HTTP ``Status`` of a refused call."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - botocore makes the class
        call(**parameters)
    response = caught.value.response  # type: ignore[attr-defined]
    return {
        **response["Error"],
        "ErrorAttribute": response.get("ErrorAttribute", ""),
        "Status": response["ResponseMetadata"]["HTTPStatusCode"],
    }
