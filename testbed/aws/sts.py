"""STS (API version 2011-06-15): GetCallerIdentity, in the query protocol with XML answers.

Terraform and the AWS CLI ask with it who they are.
"""

from collections.abc import Mapping
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from testbed import api_models
from testbed.aws.https import Request, Response
from testbed.errors import ApiError
from testbed.kms.base import Caller

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class Sts:
    """The service as ``dispatch`` calls it."""

    def answer(self, request: Request, caller: Caller) -> Response:
        """Perform the operation. Raises ``ApiError``, for ``refusal``."""
        action = _action(request)
        if action != "GetCallerIdentity":
            known = action in api_models.operations("sts")
            raise ApiError(
                f"The testbed has GetCallerIdentity of STS and not {action}."
                if known
                else f"Could not find operation {action or '(none)'}",
                code="InvalidAction",
                status=400,
            )
        identity = {"Arn": caller.principal, "UserId": caller.account, "Account": caller.account}
        members = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in identity.items())
        result = f"<GetCallerIdentityResult>{members}</GetCallerIdentityResult>"
        metadata = f"<ResponseMetadata>{_request_id(request.request_id)}</ResponseMetadata>"
        return xml(
            200,
            f'<GetCallerIdentityResponse xmlns="{_NAMESPACE}">{result}{metadata}'
            "</GetCallerIdentityResponse>",
        )

    def refusal(self, error: ApiError, request_id: str) -> Response:
        """Return the answer for a refused request."""
        return xml_refusal(error, request_id, _NAMESPACE)


def xml_refusal(error: ApiError, request_id: str, namespace: str = "") -> Response:
    """Return the answer of the query protocol for a refused request."""
    fault = "Sender" if error.status < 500 else "Receiver"
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return xml(
        error.status,
        f"<ErrorResponse{attribute}><Error><Type>{fault}</Type><Code>{escape(error.code)}</Code>"
        f"<Message>{_text(error.message)}</Message></Error>{_request_id(request_id)}"
        "</ErrorResponse>",
        {"X-Amzn-ErrorType": error.code},  # for clients of REST-JSON, should they be sent this
    )


def xml(status: int, document: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in XML."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'.encode()
    return Response(status, body, {"Content-Type": "text/xml", **(headers or {})})


def _request_id(request_id: str) -> str:
    return f"<RequestId>{escape(request_id)}</RequestId>"


def _action(request: Request) -> str:
    body = request.body.decode("latin-1") if request.method == "POST" else ""
    try:
        sent = {**request.query, **parse_qs(body, max_num_fields=100)}
    except ValueError:
        raise ApiError(
            "The request has too many parameters.", code="MalformedQueryString", status=400
        ) from None
    return next(iter(sent.get("Action", ())), "")[:100]


def _text(message: str) -> str:
    """Escape text, and replace the control characters that XML cannot write."""
    return escape(
        "".join(char if char.isprintable() or char in "\n\t" else "?" for char in message)
    )
