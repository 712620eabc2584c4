"""The caller by the credential scope of a request's signature (SigV4), which is not verified.

The scope names the Region. An access key id of 12 digits is the root of that account, as in
LocalStack; any other is the user's. So a test can speak for another account, and any
``AWS_ACCESS_KEY_ID`` works.
"""

import re
from dataclasses import dataclass, replace

from testbed.aws.https import Request
from testbed.documented import regions
from testbed.errors import ApiError
from testbed.kms.base import USER, Caller, root

_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/,\s]{1,128})/\d{8}/(?P<region>[a-z0-9-]{1,64})/"
    r"(?P<service>[a-z0-9-]{1,64})/aws4_request(,|\s|\Z)"
)
_ACCOUNT = re.compile(r"\d{12}")
_USER_AGENT = 256  # characters that a record keeps


@dataclass(frozen=True)
class Credential:
    """The scope of a signature."""

    access_key_id: str
    region: str
    service: str


def credential(request: Request) -> Credential | None:
    """Return the scope of the request's signature, or None if it cannot be read."""
    match = _CREDENTIAL.match(request.header("authorization"))
    return Credential(match["key"], match["region"], match["service"]) if match else None


def caller(request: Request, scope: Credential | None) -> Caller:
    """Return the caller of a signed request.

    Raises ``ApiError`` in AWS's words when it is unsigned, or signed for an unknown Region.
    """
    if scope is None and request.header("authorization"):
        raise ApiError(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header, "
            "and a 'Credential' parameter of the form "
            "'AKID/YYYYMMDD/REGION/SERVICE/aws4_request'.",
            code="IncompleteSignatureException",
            status=400,
        )
    if scope is None:
        raise ApiError(
            "Missing Authentication Token", code="MissingAuthenticationTokenException", status=403
        )
    if not regions.exists(scope.region):
        raise ApiError(
            f"Credential should be scoped to a valid region, not '{scope.region}'. ",
            code="InvalidSignatureException",
            status=403,
            hint="Set AWS_DEFAULT_REGION to one of AWS's Regions.",
        )
    account = scope.access_key_id if _ACCOUNT.fullmatch(scope.access_key_id) else USER.account
    return replace(
        root(account, scope.region),
        source_ip=request.source_ip,
        user_agent=request.header("user-agent")[:_USER_AGENT] or USER.user_agent,
        tls=request.tls,
        request_id=request.request_id,
        referer=request.header("referer"),
    )
