"""What CloudTrail has recorded since a moment, as tests ask for it."""

from typing import Any

from testbed.testbed import Testbed
from testbed.trail.broker_names import broker_names, synonyms
from testbed.trail.filters import Filter
from testbed.trail.lookup import newest, since


class Events:
    """The events of the testbed's account and Region since ``Events(testbed)``.

    Other processes that use the same testbed at the same time are recorded there, too.
    """

    def __init__(self, testbed: Testbed) -> None:
        self._testbed, self._start = testbed, newest(testbed.trail)

    def records(
        self,
        *,
        actor: str = "",
        key: str = "",
        broker: str = "",
        error: str = "",
        services: bool = False,
    ) -> list[dict[str, Any]]:
        """Return CloudTrail's records of what users did, the oldest first.

        ``services`` adds what AWS's services did. ``actor`` is a user, a role or a service,
        ``key`` an id or ARN, ``broker`` a name or id, and ``error`` an error code or ``any``.
        """
        user = self._testbed.user
        trail = self._testbed.trail
        names = broker_names(trail, user.account, user.region) if broker else {}
        wanted = Filter(services, actor, key, synonyms(broker, names), error)
        found: list[dict[str, Any]] = []
        cursor = self._start
        while True:
            records, after = since(trail, user.account, cursor, region=user.region)
            found += [
                record
                for record in records
                if wanted.is_met(record) and not wanted.is_hidden(record)
            ]
            if after == cursor:
                return found
            cursor = after

    def names(self, **filters: Any) -> list[str]:
        """Return the names of the events, such as ``DisableKey``; takes what ``records`` does."""
        return [record["eventName"] for record in self.records(**filters)]
