"""From a request to an answer: the service, the caller, and the translation of errors."""

import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from testbed.aws import json_protocol, query_protocol, signatures
from testbed.aws.callers import Callers
from testbed.errors import ApiError, TestbedError
from testbed.https.server import Request, Response
from testbed.kms.base import Caller

logger = logging.getLogger(__name__)

_INTERNAL = "InternalServerErrorException"


class Service(Protocol):
    """One of AWS's services."""

    def answer(self, request: Request, caller: Caller) -> Response:
        """Perform the operation. Raises ``ApiError`` for a refusal."""

    def refusal(self, error: ApiError, request_id: str) -> Response:
        """Return a refusal as this service's clients read it."""


class Dispatch:
    """``services`` by the names that requests are signed for. Own faults are logged as errors.

    ``unsigned`` answers requests of its own, which are for no service, and returns None for others.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        callers: Callers,
        unsigned: Callable[[Request], Response | None] = lambda _: None,
    ) -> None:
        self._services, self._callers, self._unsigned_answer = services, callers, unsigned

    def answer(self, request: Request) -> Response:
        """Answer the request. Never raises."""
        scope = signatures.credential(request)
        service = self._services.get(scope.service) if scope else self._unsigned(request)
        refusal = service.refusal if service else _refusal_for(request)
        try:
            response = self._answer(request, scope, service)
        except ApiError as error:
            if error.status >= 500:
                _log(request, str(error))
            response = refusal(error, request.request_id)
        except TestbedError as error:  # the machine's fault and not the request's
            _log(request, str(error))
            message = f"{error} {error.hint}".strip()
            fault = ApiError(message, code=_INTERNAL, status=500)
            response = refusal(fault, request.request_id)
        except Exception as error:  # noqa: BLE001 - the endpoint's own fault must not end it
            # Without the error's message, which may quote the request.
            trace = "".join(traceback.format_tb(error.__traceback__))
            _log(request, f"{type(error).__name__}\n{trace}")
            message = "The testbed's endpoint failed; its log says where."
            fault = ApiError(message, code=_INTERNAL, status=500)
            response = refusal(fault, request.request_id)
        return replace(
            response, headers={**response.headers, "X-Amzn-RequestId": request.request_id}
        )

    def _answer(
        self, request: Request, scope: signatures.Credential | None, service: Service | None
    ) -> Response:
        if scope is None and (response := self._unsigned_answer(request)):
            return response
        if scope and service is None:
            raise ApiError(
                f"The testbed serves {', '.join(self._services)}, and not {scope.service}.",
                code="UnknownOperationException",
                status=404,
            )
        caller = self._callers.caller(request, scope)
        assert service is not None, "without a scope there is no caller"
        return service.answer(request, caller)

    def _unsigned(self, request: Request) -> Service | None:
        """Guess the service of an unsigned request."""
        target = request.header("x-amz-target")
        if target:
            return self._services.get("cloudtrail" if "CloudTrail" in target else "kms")
        return self._services.get("mq") if request.path.startswith("/v1/") else None


def _log(request: Request, fault: str) -> None:
    logger.error("%s %s: %s", request.method, request.path[:200], fault)


def _refusal_for(request: Request) -> Callable[[ApiError, str], Response]:
    """Return the form of a refusal by no service: JSON to those who speak it, otherwise XML."""
    speaks_json = (
        request.header("x-amz-target")
        or "json" in request.header("content-type")
        or request.path.startswith("/v1/")
    )
    if speaks_json:
        return lambda error, _: json_protocol.refusal(error)
    return query_protocol.refusal
