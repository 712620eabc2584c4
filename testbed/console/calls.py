"""The calls that the console's buttons make: those of any client, as the account's root.

They go to the endpoint over HTTPS, signed, so they are checked, decided and recorded as others are.
"""

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.errors import TestbedError

# The service of each operation that has a button, by botocore's name.
OPERATIONS = {
    "DisableKey": "kms",
    "EnableKey": "kms",
    "ScheduleKeyDeletion": "kms",
    "CancelKeyDeletion": "kms",
    "RevokeGrant": "kms",
    "CreateBroker": "mq",
    "RebootBroker": "mq",
    "DeleteBroker": "mq",
}
USER_AGENT = "amazonmq-testbed-console"


class Unanswered(TestbedError):
    """A call was not sent, since a client's library refuses its parameters, or had no answer."""


@dataclass(frozen=True)
class Outcome:
    """What the API answered: HTTP's status, and a refusal's code and message in AWS's words."""

    status: int
    request_id: str
    code: str = ""
    message: str = ""
    answer: Mapping[str, Any] = field(default_factory=dict)


class Calls:
    """A client of the endpoint. ``connection`` is what ``Endpoint.client`` returns."""

    def __init__(self, connection: Mapping[str, str]) -> None:
        self._connection = connection
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def call(self, operation: str, region: str, parameters: Mapping[str, Any]) -> Outcome:
        """Call one of ``OPERATIONS`` with parameters in boto3's shape. Raises ``Unanswered``."""
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            method = getattr(self._client(OPERATIONS[operation], region), xform_name(operation))
            answer = method(**parameters)
        except ClientError as error:
            return _outcome(error.response)
        except (BotoCoreError, ValueError) as error:  # the latter of text that cannot be sent
            raise Unanswered(str(error).encode(errors="replace").decode()) from error
        return _outcome(answer)

    def _client(self, service: str, region: str) -> Any:
        import botocore.session
        from botocore.config import Config

        with self._lock:  # clients are safe to share between threads, creating them is not
            if (service, region) not in self._clients:
                nowhere = {
                    "profile": (None, None, None, None),
                    "config_file": (None, None, os.devnull, None),
                }
                config = Config(
                    user_agent=USER_AGENT,
                    retries={"total_max_attempts": 1},  # one click, one call
                    proxies={},
                    max_pool_connections=4,
                )
                connection = {**self._connection, "region_name": region}
                self._clients[service, region] = botocore.session.Session(nowhere).create_client(
                    service, config=config, **connection
                )
            return self._clients[service, region]


def _outcome(response: Mapping[str, Any]) -> Outcome:
    about, error = response["ResponseMetadata"], response.get("Error", {})
    answer = {} if error else {k: v for k, v in response.items() if k != "ResponseMetadata"}
    return Outcome(
        about["HTTPStatusCode"],
        about.get("RequestId", ""),
        error.get("Code", ""),
        error.get("Message", ""),
        json.loads(json.dumps(answer, default=str)),
    )
