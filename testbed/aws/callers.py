"""The caller of a request by its access key; the scope of its signature (SigV4) names the Region.

An access key of IAM or STS is whoever it was issued to, and its signature has to be right. Others
are not checked: an id of 12 digits is the root of that account, as in LocalStack, and one that was
never issued the root of the user's, so a test can speak for another account and any
``AWS_ACCESS_KEY_ID`` works.
Where known keys are required, the only other one is the root's of ``known_keys``.
"""

from dataclasses import replace

from testbed.account import known_keys
from testbed.account.identities import Identities, Known
from testbed.arn import is_account
from testbed.aws import signatures
from testbed.aws.signatures import Credential
from testbed.documented import regions
from testbed.errors import ApiError
from testbed.https.server import Request
from testbed.kms.base import USER, Caller, root
from testbed.state.clock import Clock
from testbed.state.store import State

_USER_AGENT = 256  # characters that a record keeps


class Callers:
    """Who calls, as the identities of one testbed know it."""

    def __init__(self, identities: Identities, state: State, clock: Clock) -> None:
        self._identities, self._state, self._clock = identities, state, clock

    def caller(self, request: Request, scope: Credential | None) -> Caller:
        """Return the caller of a signed request.

        Raises ``ApiError`` in AWS's words when it is unsigned, signed for an unknown Region, or
        wrongly signed with a known key.
        """
        _require_readable(request, scope)
        assert scope is not None, "it can be read"
        return replace(
            self._caller(request, scope),
            source_ip=request.source_ip,
            user_agent=request.header("user-agent")[:_USER_AGENT] or USER.user_agent,
            tls=request.tls,
            request_id=request.request_id,
            referer=request.header("referer"),
        )

    def _caller(self, request: Request, scope: Credential) -> Caller:
        required = known_keys.required(self._state)
        known = self._identities.known(scope.access_key_id, scope.region)
        if required and scope.access_key_id == required.access_key_id:
            known = Known(root(USER.account, scope.region), required.secret)
        if known:
            signatures.verify(request, scope, known, self._clock.now())
            return known.caller
        if required or self._identities.store.was_issued(scope.access_key_id):
            raise signatures.unknown(scope)
        of_account = is_account(scope.access_key_id)
        return root(scope.access_key_id if of_account else USER.account, scope.region)


def _require_readable(request: Request, scope: Credential | None) -> None:
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
