"""STS (API version 2011-06-15): GetCallerIdentity, with which Terraform and the CLI ask who they are. Query in, XML out."""

from collections.abc import Mapping
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from testbed.aws import models
from testbed.aws.message import Request, Response
from testbed.errors import ApiError
from testbed.kms.base import Caller

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class Sts:
    """The service as ``dispatch`` wants it."""

    def answer(self, request: Request, caller: Caller) -> Response:
        """Raises ``ApiError``, for ``refusal``."""
        action = _action(request)
        if action != "GetCallerIdentity":
            known = action in models.operations("sts")
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
        return xml(
            200,
            f'<GetCallerIdentityResponse xmlns="{_NAMESPACE}">{result}</GetCallerIdentityResponse>',
        )

    def refusal(self, error: ApiError) -> Response:
        return xml_refusal(error, _NAMESPACE)


def xml_refusal(error: ApiError, namespace: str = "") -> Response:
    """What a service of the query protocol says when it refuses."""
    fault = "Sender" if error.status < 500 else "Receiver"
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return xml(
        error.status,
        f"<ErrorResponse{attribute}><Error><Type>{fault}</Type><Code>{escape(error.code)}</Code>"
        f"<Message>{_text(error.message)}</Message></Error></ErrorResponse>",
        {"X-Amzn-ErrorType": error.code},  # for clients of REST-JSON, should they be sent this
    )


def xml(status: int, document: str, headers: Mapping[str, str] = {}) -> Response:
    return Response(
        status,
        f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'.encode(),
        {"Content-Type": "text/xml", **headers},
    )


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
    """XML has no way to write most control characters."""
    return escape(
        "".join(each if each.isprintable() or each in "\n\t" else "?" for each in message)
    )
