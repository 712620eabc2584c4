"""An authority for the tests that are not about authorities: new keys take longer than those."""

from collections.abc import Sequence
from functools import cache

from testbed.documented.regions import DEFAULT_REGION
from testbed.pki import Authority, Certificate


class _Authority(Authority):
    """One that issues each certificate once."""

    def issue(
        self, name: str = "broker", *, names: Sequence[str] = (), region: str = DEFAULT_REGION
    ) -> Certificate:
        return _issued(name, tuple(names), region)

    def issue_bad(
        self, name: str, *, names: Sequence[str] = (), region: str = DEFAULT_REGION
    ) -> Certificate:
        return _issued_bad(name, tuple(names), region)


@cache
def shared() -> Authority:
    """Return the process's authority, whose certificates have their keys in common."""
    made = Authority.create()
    return _Authority(made.root, made.intermediate, made.key)


@cache
def _issued(name: str, names: tuple[str, ...], region: str) -> Certificate:
    return Authority.issue(shared(), name, names=names, region=region)


@cache
def _issued_bad(name: str, names: tuple[str, ...], region: str) -> Certificate:
    return Authority.issue_bad(shared(), name, names=names, region=region)
