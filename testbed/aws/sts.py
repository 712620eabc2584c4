"""STS (API version 2011-06-15) over the sessions of ``testbed.account``."""

from collections.abc import Callable, Mapping
from typing import Any

from testbed.account.sessions import Sessions
from testbed.aws import query_protocol
from testbed.errors import ApiError
from testbed.https.server import Request, Response
from testbed.kms.base import Caller
from testbed.trail.recording import Recorder

_Operation = Callable[[Caller, Mapping[str, Any]], dict[str, Any]]


class Sts:
    """The service as ``dispatch`` calls it."""

    def __init__(self, sessions: Sessions, recorder: Recorder) -> None:
        self._recorder = recorder
        self._operations: Mapping[str, _Operation] = {
            "AssumeRole": sessions.assume_role,
            "GetAccessKeyInfo": sessions.access_key_info,
            "GetCallerIdentity": sessions.caller_identity,
            "GetFederationToken": sessions.federation_token,
            "GetSessionToken": sessions.session_token,
        }

    def answer(self, request: Request, caller: Caller) -> Response:
        """Perform the operation. Raises ``ApiError``, for ``refusal``."""
        model = query_protocol.operation(request, "sts")
        sent = query_protocol.parameters(request, model)
        with self._recorder.api_call("sts", caller, model.name, sent) as recorded:
            if model.name not in self._operations:
                raise ApiError(
                    f"The testbed has {', '.join(self._operations)} of STS and not {model.name}.",
                    code="InvalidAction",
                    status=400,
                )
            query_protocol.check(model, sent)
            recorded.elements = self._operations[model.name](caller, sent)
        return query_protocol.answer(model, recorded.elements, request.request_id)

    def refusal(self, error: ApiError, request_id: str) -> Response:
        """Return the answer for a refused request."""
        return query_protocol.refusal(error, request_id, "sts")
