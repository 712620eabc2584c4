"""The authority over KMS: LocalStack keeps the material and does the cryptography, everything else is decided here.

One call passes, from the outside in::

    SettlingKms      what fell due meanwhile is done
    ValidatingKms    the request has the right shape
    NamingKms        which key is meant
    AuthorizingKms   whether the caller may
    GrantingKms      grants
    LifecycleKms     whether the key's state allows it; states and their delay
    OwnershipKms     the kinds of key, policies, aliases
    RotatingKms      rotation
    FaithfulKms      cryptography as AWS does it
    LocalStack
"""

from testbed.kms.answers import FaithfulKms
from testbed.kms.authorization import AuthorizingKms, Identity, administrators
from testbed.kms.base import Kms
from testbed.kms.grants import GRANTS_PER_KEY, GrantingKms
from testbed.kms.ledger import Ledger
from testbed.kms.lifecycle import LifecycleKms
from testbed.kms.moment import Moment
from testbed.kms.naming import KeyNames, NamingKms
from testbed.kms.ownership import OwnershipKms
from testbed.kms.rotation import RotatingKms
from testbed.kms.settling import Happened, SettlingKms
from testbed.kms.validation import ValidatingKms
from testbed.state.clock import Clock
from testbed.state.store import State

# AWS speaks of "several hours" until a key is deactivated or a grant revoked (DP, newer edition); locally, seconds.
DELAY = 3.0


def assemble(
    innermost: Kms,
    state: State,
    clock: Clock,
    *,
    delay: float = DELAY,
    grant_start_delay: float = 0.0,
    grants_per_key: int = GRANTS_PER_KEY,
    identity: Identity = administrators,
    happened: Happened = lambda *_: None,
) -> SettlingKms:
    """The whole of KMS over ``innermost``, LocalStack, with what is known beyond it in the folder of ``state``.

    ``delay``: seconds by ``clock`` until DisableKey, ScheduleKeyDeletion, RevokeGrant and RetireGrant take effect.
    ``grant_start_delay``: seconds until a new grant does without its grant token. ``identity``: what a caller's identity
    policies allow. ``happened`` is told of what KMS did by itself, see ``settling``. Several processes may each have one
    over the same folder; they should agree on the delays. Raises ``StateBroken`` when the folder cannot be used,
    ``ValueError`` for a delay that makes no sense.
    """
    ledger, moment = Ledger(state), Moment(clock.now)
    now = moment.now
    faithful = FaithfulKms(innermost, ledger)
    rotating = RotatingKms(faithful, ledger, now)
    names = KeyNames(innermost, ledger)
    kms: Kms = OwnershipKms(rotating, ledger, now)
    kms = LifecycleKms(kms, ledger, now, delay=delay)
    kms = GrantingKms(
        kms, ledger, now, delay=delay, start_delay=grant_start_delay, grants_per_key=grants_per_key
    )
    kms = AuthorizingKms(kms, ledger, names, now, identity)
    kms = ValidatingKms(NamingKms(kms, names))
    return SettlingKms(kms, innermost, rotating, ledger, moment, happened)
