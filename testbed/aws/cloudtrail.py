"""CloudTrail (API version 2013-11-01): LookupEvents over the testbed's own records."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from testbed.account.authorization import Authorization
from testbed.aws.json_protocol import JsonService
from testbed.documented.cloudtrail import LOOKUP_MAX_RESULTS
from testbed.errors import ApiError
from testbed.kms.base import Caller
from testbed.trail.lookup import Attribute, as_event, lookup_events
from testbed.trail.recording import Recorder
from testbed.trail.store import Trail


def service(recorder: Recorder, authorization: Authorization) -> JsonService:
    """Return the service over the trail of ``recorder``, in which its own calls are, too."""

    def call(caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        with recorder.api_call("cloudtrail", caller, operation, parameters):
            decision = authorization.decide(caller, f"cloudtrail:{operation}")
            if not decision.allowed:
                request = authorization.request(caller, f"cloudtrail:{operation}")
                sentence = decision.sentence(request)
                raise ApiError(sentence, code="AccessDeniedException", status=400)
            return _call(recorder.trail, caller, operation, parameters)

    return JsonService("cloudtrail", "CloudTrail_20131101", call)


def _call(
    trail: Trail, caller: Caller, operation: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    if operation != "LookupEvents":
        raise ApiError(
            f"The testbed has LookupEvents of CloudTrail and not {operation}: "
            "its records are always on.",
            code="UnsupportedOperationException",
            status=400,
        )
    insights = _insights(parameters.get("EventCategory"))
    page = lookup_events(
        trail,
        caller.account,
        region=caller.region,
        attribute=_attribute(parameters.get("LookupAttributes", [])),
        start=_seconds(parameters.get("StartTime")),
        end=_seconds(parameters.get("EndTime")),
        max_results=parameters.get("MaxResults", LOOKUP_MAX_RESULTS),
        next_token=parameters.get("NextToken", ""),
    )
    if insights:  # nothing here makes any, as in an account that has not enabled them
        return {"Events": []}
    return {
        "Events": [as_event(record) for record in page.records],
        "NextToken": page.next_token or None,
    }


def _insights(category: str | None) -> bool:
    """Return whether insight events are asked for, and not management events."""
    if category in (None, "insight"):
        return category is not None
    raise ApiError(
        "The only event category is insight.", code="InvalidEventCategoryException", status=400
    )


def _attribute(attributes: list[dict[str, str]]) -> Attribute | None:
    """Return the first attribute: CloudTrail ignores any other."""
    if not attributes:
        return None
    if set(attributes[0]) != {"AttributeKey", "AttributeValue"}:
        raise ApiError(
            "A lookup attribute has an AttributeKey and an AttributeValue.",
            code="InvalidLookupAttributesException",
            status=400,
        )
    return Attribute(attributes[0]["AttributeKey"], attributes[0]["AttributeValue"])


def _seconds(time: datetime | None) -> float | None:
    return time.timestamp() if time else None
