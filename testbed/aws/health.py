"""``/health``: whether the testbed serves, without a signature; for health checks of CI."""

import json
from collections.abc import Callable, Sequence
from http import HTTPStatus
from importlib.metadata import version

from testbed.broker.service import Brokers
from testbed.https.server import Request, Response

PATHS = ("/health", "/_localstack/health")  # LocalStack's is what existing tools wait for


class Health:
    """The state of ``services`` and of all brokers. Looking leaves no record in the trail."""

    def __init__(
        self, services: Sequence[str], kms_status: Callable[[], str], brokers: Brokers
    ) -> None:
        self._services, self._kms_status, self._brokers = services, kms_status, brokers

    def answer(self, request: Request) -> Response | None:
        """Answer a GET of one of ``PATHS``; None to any other request.

        The status is 200, and 503 while KMS does not run.
        """
        if request.path not in PATHS or request.method not in ("GET", "HEAD"):
            return None
        kms = self._kms_status() == "running"
        document = {
            "status": "ok" if kms else "unavailable",
            "version": version("amazonmq-testbed"),
            "services": {
                name: "running" if kms or name != "kms" else "error" for name in self._services
            },
            "brokers": {
                broker.broker_id: {
                    "name": broker.broker_name,
                    "region": broker.region,
                    "state": broker.broker_state,
                }
                for broker in self._brokers.peek_all()
            },
        }
        return Response(
            HTTPStatus.OK if kms else HTTPStatus.SERVICE_UNAVAILABLE,
            json.dumps(document).encode(),
            {"Content-Type": "application/json", "Cache-Control": "no-store"},
        )
