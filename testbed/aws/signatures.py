"""Signatures of requests (SigV4), checked with botocore's own signer.

Sources: IAM User Guide, "Signing AWS API requests" and "Troubleshoot Signature Version 4 signing";
the codes are those of each protocol's common errors. The age of a signature goes by the machine's
time, as clients sign with theirs; the end of a session by the testbed's clock.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from testbed import api_models
from testbed.account.identities import Known
from testbed.errors import ApiError
from testbed.https.server import Request

SKEW = timedelta(minutes=5)
_DATE = "%Y%m%dT%H%M%SZ"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/,\s]{1,128})/(?P<day>\d{8})/"
    r"(?P<region>[a-z0-9-]{1,64})/(?P<service>[a-z0-9-]{1,64})/aws4_request"
)
_SIGNED = re.compile(r"[,\s]SignedHeaders=(?P<names>[a-z0-9;._-]{1,4096})(,|\s|\Z)")
_SIGNATURE = re.compile(r"[,\s]Signature=(?P<signature>[0-9a-f]{64})(,|\s|\Z)")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True)
class Credential:
    """The scope of a signature."""

    access_key_id: str
    day: str
    region: str
    service: str


@dataclass(frozen=True)
class _Codes:
    """One refusal, in the codes of JSON and of the query protocol."""

    json: str
    query: str


_INVALID = _Codes("UnrecognizedClientException", "InvalidClientTokenId")
_EXPIRED = _Codes("ExpiredTokenException", "ExpiredToken")
_WRONG = _Codes("InvalidSignatureException", "SignatureDoesNotMatch")
_INCOMPLETE = _Codes("IncompleteSignatureException", "IncompleteSignature")


def credential(request: Request) -> Credential | None:
    """Return the scope of the request's signature, or None if it cannot be read."""
    match = _AUTHORIZATION.match(request.header("authorization"))
    return Credential(*match.group("key", "day", "region", "service")) if match else None


def verify(request: Request, scope: Credential, known: Known, now: float) -> None:
    """Raise ``ApiError`` in AWS's words unless ``known`` has signed the request.

    ``now`` is the testbed's time in seconds since 1970.
    """
    if not known.active:
        raise unknown(scope)
    if not hmac.compare_digest(
        request.header("x-amz-security-token").encode(), known.token.encode()
    ):
        raise unknown(scope)
    if known.expires is not None and known.expires <= now:
        raise _refusal(_EXPIRED, scope, "The security token included in the request is expired")
    _check_age(request, scope)
    if not hmac.compare_digest(_expected(request, scope, known), _sent(request, scope)):
        raise _refusal(_WRONG, scope, _MISMATCH)


def unknown(scope: Credential) -> ApiError:
    """Return the refusal of an access key that is unknown, inactive, or without its token."""
    sentence = "The security token included in the request is invalid."
    return _refusal(_INVALID, scope, sentence)


def _check_age(request: Request, scope: Credential) -> None:
    text = request.header("x-amz-date")
    try:
        signed = datetime.strptime(text, _DATE).replace(tzinfo=UTC)
    except ValueError:
        sentence = (
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
        raise _refusal(_INCOMPLETE, scope, sentence) from None
    if not text.startswith(scope.day):
        sentence = f"Date in Credential scope does not match {text[:8]}, of X-Amz-Date."
        raise _refusal(_WRONG, scope, sentence)
    now = datetime.now(UTC)
    earliest, latest = now - SKEW, now + SKEW
    if signed < earliest:
        raise _refusal(
            _WRONG,
            scope,
            f"Signature expired: {text} is now earlier than {earliest:{_DATE}} "
            f"({now:{_DATE}} - 5 min.)",
        )
    if signed > latest:
        raise _refusal(
            _WRONG,
            scope,
            f"Signature not yet current: {text} is still later than {latest:{_DATE}} "
            f"({now:{_DATE}} + 5 min.)",
        )


def _expected(request: Request, scope: Credential, known: Known) -> bytes:
    """Return the signature that the request has to have."""
    names = _SIGNED.search(request.header("authorization"))
    signed = names["names"].split(";") if names else []
    if "host" not in signed:
        sentence = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        raise _refusal(_INCOMPLETE, scope, sentence)
    payload = hashlib.sha256(request.body).hexdigest()
    if request.header("x-amz-content-sha256") not in ("", payload):
        raise _refusal(_WRONG, scope, _MISMATCH)
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, values in request.query.items()
        for value in values
    )
    copy = AWSRequest(
        method=request.method,
        url=f"https://{request.header('host')}{request.path}{'?' if query else ''}{query}",
        headers={name: request.header(name) for name in signed},
        data=request.body,
    )
    copy.context["timestamp"] = request.header("x-amz-date")
    signer = _Signer(Credentials(scope.access_key_id, known.secret), scope.service, scope.region)
    canonical = signer.canonical_request(copy)
    signature: str = signer.signature(signer.string_to_sign(copy, canonical), copy)
    return signature.encode()


class _Signer(SigV4Auth):  # type: ignore[misc]  # botocore has no type hints
    """botocore's signer over the headers that a client has signed, whichever these are."""

    def headers_to_sign(self, request: AWSRequest) -> Any:
        return request.headers


def _sent(request: Request, scope: Credential) -> bytes:
    match = _SIGNATURE.search(request.header("authorization"))
    if match is None:
        sentence = "Authorization header requires 'Signature' parameter."
        raise _refusal(_INCOMPLETE, scope, sentence)
    return match["signature"].encode()


def _refusal(codes: _Codes, scope: Credential, sentence: str) -> ApiError:
    """Return a refusal as the service that was called says it; Amazon MQ and queries with 403."""
    protocol = _protocol(scope.service)
    code = codes.query if protocol in ("query", "ec2") else codes.json
    return ApiError(sentence, code=code, status=400 if protocol == "json" else 403)


def _protocol(service: str) -> str:
    served = {"monitoring": "cloudwatch"}.get(service, service)
    try:
        return str(api_models.service(served).metadata["protocol"])
    except LookupError:
        return "json"
