"""The condition keys of a request on KMS: each has its value when a policy asks for it.

``testbed.policy.keys`` lists the keys, and says of those that are missing here why they are.
Sources: KMSAUTH, KMSKEYS and GLOBAL in ``testbed.policy``.
"""

from functools import partial

from testbed.kms.condition_keys import of_callers, of_keys, of_parameters
from testbed.kms.condition_keys.subject import Found, Subject
from testbed.kms.principals import principal
from testbed.policy.evaluate import Context, Request

__all__ = ["Subject", "request"]


def request(subject: Subject, arn: str) -> Request:
    """Return the request that policies decide on. ``arn`` is the resource's, or ``*``."""
    account = subject.key.account if subject.key else subject.caller.account
    return Request(
        principal(subject.caller),
        f"kms:{subject.action}",
        arn,
        Context(partial(_find, subject)),
        account,
    )


def _find(subject: Subject, name: str) -> tuple[str, ...]:
    found = _read(subject, name)
    if not found:
        return ()
    return (found,) if isinstance(found, str) else tuple(found)


def _read(subject: Subject, name: str) -> Found:
    if read := _READERS.get(name):
        return read(subject)
    for family, read_member in _FAMILIES.items():
        if name.startswith(family):
            return read_member(subject, name[len(family) :])
    return principal(subject.caller).context.get(name)


_READERS = {
    name.lower(): read
    for readers in (of_keys.READERS, of_parameters.READERS, of_callers.READERS)
    for name, read in readers.items()
}
_FAMILIES = {
    name.lower(): read
    for families in (of_keys.FAMILIES, of_parameters.FAMILIES, of_callers.FAMILIES)
    for name, read in families.items()
}
