"""The authority over KMS: LocalStack keeps material and does cryptography, all else is here.

One call passes these gates, in this order::

    disturbance      KMS is slow or throttles, while a fault says so
    due_work         what fell due in the meantime is done
    validation       the request has the right shape
    naming           which key is meant
    authorization    whether the caller may
    operations       whether the key's state allows it, and the operation itself
"""

from collections.abc import Mapping
from typing import Any

from testbed.kms import due_work, operations, validation
from testbed.kms.authorization import Authorization, Identities, administrators
from testbed.kms.backend import Backend
from testbed.kms.base import DELAY, Caller, Kms
from testbed.kms.call import KmsCall, KmsServices, LastUsage, OnServiceEvent
from testbed.kms.disturbance import Disturbances
from testbed.kms.key import DAY
from testbed.kms.ledger import Ledger
from testbed.kms.naming import KeyNames
from testbed.kms.operations.grants import GRANTS_PER_KEY
from testbed.kms.operations.key_states import SHORTEST_WINDOW
from testbed.policy.evaluate import Decision
from testbed.state.clock import Clock
from testbed.state.store import State


class KmsAuthority:
    """The whole of KMS over ``localstack``, with its ledger in the folder of ``state``.

    ``delay``: seconds by ``clock`` until DisableKey, ScheduleKeyDeletion, RevokeGrant and
    RetireGrant take effect. ``grant_start_delay``: seconds until a new grant works without its
    grant token. ``identities``: a caller's identity policies. ``on_event`` is called for what KMS
    does by itself, see ``due_work``; ``last_usage`` tells when a key was last used. Several
    processes may each have an authority over
    the same folder; they should agree on the delays. Raises ``StateBroken`` when the folder cannot
    be used, ``ValueError`` for a delay that makes no sense.
    """

    def __init__(
        self,
        localstack: Kms,
        state: State,
        clock: Clock,
        *,
        delay: float = DELAY,
        grant_start_delay: float = 0.0,
        grants_per_key: int = GRANTS_PER_KEY,
        identities: Identities = administrators,
        on_event: OnServiceEvent = lambda *_: None,
        last_usage: LastUsage = lambda _: {},
    ) -> None:
        if not 0 <= delay < SHORTEST_WINDOW * DAY:
            raise ValueError(
                "the delay must be 0 or more seconds, and shorter than the shortest window of a "
                f"deletion, {SHORTEST_WINDOW} days"
            )
        self._clock, self._on_event = clock, on_event
        self._backend, self._ledger = Backend(localstack), Ledger(state)
        self._disturbances = Disturbances(state)
        self._names = KeyNames(self._backend, self._ledger)
        self._services = KmsServices(
            self._backend,
            self._ledger,
            delay,
            grant_start_delay,
            grants_per_key,
            on_event,
            last_usage,
        )
        self._authorization = Authorization(self._names, self._services, identities)

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Kms.call``."""
        self._disturbances.meet()
        now, view = self._clock.now(), self._ledger.view()
        if view.first_due() <= now:
            due_work.run(self._backend, self._ledger, now, self._on_event)
            view = self._ledger.view()
        validation.check(operation, parameters)
        call = self._names.resolve(KmsCall(caller, operation, parameters, now, view))
        return operations.execute(self._services, self._authorization.check(call))

    def decide(self, caller: Caller, action: str, key_arn: str) -> Decision:
        """Decide whether a caller may perform an action, such as ``Decrypt``, on a key.

        The request has no other parameter. Raises ``KmsError`` for an unknown key.
        """
        view = self._ledger.view()
        call = KmsCall(caller, action, {"KeyId": key_arn}, self._clock.now(), view)
        return self._authorization.decide(call, action, self._names.key(view, key_arn))

    def run_due_work(self) -> None:
        """Do all that is due by now. Raises ``KmsError`` when KMS does not answer."""
        due_work.run(self._backend, self._ledger, self._clock.now(), self._on_event)
