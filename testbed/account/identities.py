"""Who a caller is by its access key, and which policies are its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from testbed.account.directory import AccessKey, Directory, Document, Role, Session, User
from testbed.account.store import AccountStore
from testbed.documented import regions
from testbed.kms.base import Caller, Credentials, is_root
from testbed.policy.evaluate import ADMINISTRATOR, Policies
from testbed.policy.language import Policy, parse

_EVERYTHING = Policies((ADMINISTRATOR,))
_NOTHING = Policies()
_Place = tuple[str, str]  # account and partition


@dataclass(frozen=True)
class Known:
    """An access key that IAM or STS issued. ``token`` and ``expires`` are those of a session."""

    caller: Caller
    secret: str = field(repr=False)
    active: bool = True
    token: str = field(default="", repr=False)
    expires: float | None = None


@dataclass(frozen=True)
class _Seen:
    """Directories, and what was derived from these alone, whatever other threads see by now."""

    directories: Mapping[_Place, Directory]
    keys: Mapping[str, tuple[_Place, AccessKey, User]] = field(default_factory=dict)
    policies: dict[tuple[_Place, str], Policies] = field(default_factory=dict)


class Identities:
    """The identities in all accounts of one testbed."""

    def __init__(self, store: AccountStore) -> None:
        self.store = store
        self._seen = _Seen({})

    def directory(self, account: str, region: str) -> Directory:
        """Return who is in an account, in the partition of ``region``."""
        place = (account, regions.partition(region).name)
        return self.store.directories().get(place) or Directory()

    def known(self, access_key_id: str, region: str) -> Known | None:
        """Return what an access key stands for in ``region``; None for an unknown one.

        A key counts in its own partition alone, and a session as long as its role exists.
        """
        if found := self._key(access_key_id):
            (account, partition), key, user = found
            caller = user_caller(user, key.access_key_id, account, region)
            known = Known(caller, key.secret, key.active)
        elif (session := self.store.session(access_key_id)) and self._stands(session):
            partition = session.partition
            known = Known(
                _session(session, region),
                session.secret,
                token=session.token,
                expires=session.expires,
            )
        else:
            return None
        return known if partition == regions.partition(region).name else None

    def account_of(self, access_key_id: str) -> str:
        """Return the account of an access key, empty for an unknown one."""
        if found := self._key(access_key_id):
            return found[0][0]
        session = self.store.session(access_key_id)
        return session.account if session else ""

    def policies(self, caller: Caller) -> Policies:
        """Return the caller's own policies: of its identity, its boundary, and its session.

        One whom IAM does not know is an administrator of its account.
        """
        credentials = caller.credentials
        if credentials is None:
            return _EVERYTHING
        owner = credentials.issuer or caller.principal
        own = _EVERYTHING
        if not is_root(owner):
            own = self._own((caller.account, regions.partition(caller.region).name), owner)
        if credentials.policies is None:
            return own
        session = tuple(parse(text, "identity", name) for name, text in credentials.policies)
        return Policies(own.identity, boundary=own.boundary, session=session)

    def _own(self, place: _Place, arn: str) -> Policies:
        seen = self._look()
        found = seen.policies.get((place, arn))
        if found is None:
            directory = seen.directories.get(place)
            owner = directory and (directory.user_by_arn(arn) or directory.role_by_arn(arn))
            found = seen.policies[place, arn] = _parsed(owner) if owner else _NOTHING
        return found

    def _key(self, access_key_id: str) -> tuple[_Place, AccessKey, User] | None:
        return self._look().keys.get(access_key_id)

    def _look(self) -> _Seen:
        """Return the directories; what was derived from older ones is forgotten."""
        directories, seen = self.store.directories(), self._seen
        if directories is not seen.directories:
            keys = {
                key.access_key_id: (place, key, user)
                for place, directory in directories.items()
                for key, user in directory.access_keys()
            }
            self._seen = seen = _Seen(directories, keys)
        return seen

    def _stands(self, session: Session) -> bool:
        """Return whether the identity of a session is still the one that it was issued to."""
        issuer = session.issuer or session.principal
        if is_root(issuer):
            return True
        directory = self.store.directories().get((session.account, session.partition))
        if directory is None:
            return False
        if session.kind == "AssumedRole":
            role = directory.role_by_arn(session.issuer)
            return role is not None and session.principal_id.startswith(f"{role.role_id}:")
        user = directory.user_by_arn(issuer)
        return user is not None and user.user_id == (session.issuer_id or session.principal_id)


def user_caller(user: User, access_key_id: str, account: str, region: str) -> Caller:
    """Return a user as it calls with an access key."""
    tags = tuple(user.tags.items())
    credentials = Credentials(access_key_id, user.user_id, tags=tags)
    return Caller(user.arn, account, "IAMUser", region=region, credentials=credentials)


def _session(session: Session, region: str) -> Caller:
    policies = session.policies
    return Caller(
        session.principal,
        session.account,
        session.kind,
        region=region,
        credentials=Credentials(
            session.access_key_id,
            session.principal_id,
            session.issuer,
            session.issued,
            session.mfa_at,
            None if policies is None else tuple((policy.name, policy.text) for policy in policies),
            tuple(session.tags.items()),
            session.transitive,
            session.source_identity,
            session.issuer_id,
        ),
    )


def _parsed(owner: User | Role) -> Policies:
    boundary = _policy(owner.boundary) if owner.boundary else None
    return Policies(tuple(map(_policy, owner.policies)), boundary=boundary)


def _policy(document: Document) -> Policy:
    return parse(document.text, "identity", document.name)
