"""EventBridge in moto, whose rules deliver if they are enabled, to log groups that are there.

Loading this module loads moto's EventBridge: import it at the first use.
"""

import json
from typing import Any, cast

from moto.events.exceptions import ValidationException
from moto.events.models import EventPattern
from moto.events.models import EventsBackend as MotoEventsBackend
from moto.events.responses import EventsHandler
from moto.logs.models import logs_backends


class EventsBackend(MotoEventsBackend):
    """The event buses of an account in a Region."""

    def put_events(self, events: list[dict[str, Any]]) -> Any:
        rules = [rule for bus in self.event_buses.values() for rule in bus.rules.values()]
        targets = [rule.targets for rule in rules]
        for rule in rules:
            rule.targets = self._reached(rule)
        try:
            return super().put_events(events)
        finally:
            for rule, own in zip(rules, targets, strict=True):
                rule.targets = own

    def _reached(self, rule: Any) -> list[dict[str, Any]]:
        """Return the targets that get events; moto fails on the ones that are missing."""
        if rule.state == "DISABLED":
            return []
        groups = logs_backends[self.account_id][self.region_name].groups
        named = ({**target, "Arn": target["Arn"].removesuffix(":*")} for target in rule.targets)
        return [target for target in named if target["Arn"].partition(":log-group:")[2] in groups]


class EventsOperations(EventsHandler):
    """EventBridge as the endpoint serves it."""

    def test_event_pattern(self) -> Any:
        try:
            event = json.loads(self._get_param("Event"))
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise ValidationException("Parameter Event is not valid. Reason: Event is not JSON.")
        pattern = EventPattern.load(self._get_param("EventPattern"))
        return json.dumps({"Result": pattern.matches_event(cast("Any", event))})
