"""KMS in a LocalStack container, over botocore, whose exceptions are translated here."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    ParamValidationError,
)
from botocore.exceptions import ConnectionError as ConnectionFailed

from testbed.errors import KmsError
from testbed.kms.base import USER, Caller, is_outage


class LocalStackKms:
    """KMS at ``endpoint_url``; safe to share between threads.

    A call that gets no answer ends after ``connect_timeout`` or ``read_timeout`` seconds with a
    ``KmsError`` of code ``KMSInternalException``. It is tried once; ``RetryingKms`` tries again.
    """

    def __init__(
        self,
        endpoint_url: str,
        *,
        connect_timeout: float = 2.0,
        read_timeout: float = 15.0,
        connections: int = 16,
    ) -> None:
        self.endpoint_url = endpoint_url
        self._config = Config(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_pool_connections=connections,
            retries={"total_max_attempts": 1},
            proxies={},  # the endpoint is on this machine, whatever HTTP_PROXY says
            use_fips_endpoint=False,
        )
        # The user's own AWS settings (AWS_PROFILE, ~/.aws/config) are not the testbed's.
        self._session = botocore.session.Session(
            {
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )
        self._clients: dict[tuple[str, str], BaseClient] = {}
        self._lock = threading.Lock()

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``; LocalStack heeds account and Region of the caller alone."""
        client = self._client(caller.account, caller.region)
        try:
            answer: dict[str, Any] = getattr(client, botocore.xform_name(operation))(**parameters)
        except ClientError as error:
            detail = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status == 501:  # "has not yet been emulated": no fault, nothing to try again
                raise KmsError(
                    f"{operation} is not supported here.",
                    code="UnsupportedOperationException",
                    status=400,
                ) from error
            raise KmsError(
                detail.get("Message", ""), code=detail.get("Code", ""), status=status
            ) from error
        except ParamValidationError as error:
            raise KmsError(str(error), code="ValidationException") from error
        except (ConnectionFailed, HTTPClientError) as error:  # refused, reset, timed out
            raise KmsError(
                f"KMS does not answer at {self.endpoint_url} ({type(error).__name__}).",
                code="KMSInternalException",
                status=500,
                hint="`testbed status` shows whether its container runs; "
                "`testbed up` starts it again with its keys.",
            ) from error
        except BotoCoreError as error:
            raise KmsError(
                f"The answer of {self.endpoint_url} is not KMS's: {error}",
                code="KMSInternalException",
                status=500,
            ) from error
        answer.pop("ResponseMetadata", None)
        return answer

    def wait_until_answering(
        self,
        timeout: float = 30.0,
        *,
        still_alive: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Return once KMS has answered; raise its last ``KmsError`` after ``timeout`` seconds.

        ``still_alive`` is called between attempts and may raise, e.g. for a stopped container.
        """
        deadline = clock() + timeout
        while True:
            try:
                self.call(USER, "ListKeys", {"Limit": 1})
            except KmsError as error:
                if not is_outage(error) or clock() >= deadline:
                    raise
            else:
                return
            still_alive()
            sleep(0.02)

    def _client(self, account: str, region: str) -> BaseClient:
        # Clients are thread-safe, creating them is not.
        with self._lock:
            if (account, region) not in self._clients:
                self._clients[account, region] = self._session.create_client(
                    "kms",
                    region_name=region,
                    endpoint_url=self.endpoint_url,
                    aws_access_key_id=account,
                    aws_secret_access_key="test",  # noqa: S106 (LocalStack checks no signatures)
                    config=self._config,
                )
            return self._clients[account, region]
