"""A small model of KMS, written from the documents and not from the code: every call's answer.

Time is the sum of the clock's turns, in seconds. Answers are error codes; an empty one is success.
``Model`` changes with the calls that it allows, and never otherwise.
"""

from dataclasses import dataclass, field, replace

DELAY = 3600.0
DAY = 86400.0
OWNER, OTHER, SERVICE, STRANGER = "owner", "other", "service", "stranger"
CALLERS = (OWNER, OTHER, SERVICE, STRANGER)
EBS, EFS = "ebs", "efs"
# Services act in the owner's account without being principals of it.
SERVICES = (SERVICE, EBS, EFS)
ACCOUNT = {OWNER: "ours", OTHER: "theirs", STRANGER: "nobody's", **dict.fromkeys(SERVICES, "ours")}
GRANTABLE = (
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)
# Key policies: all let the owner's account do everything; "open" lets another account encrypt and
# decrypt, "no decrypt" lets nobody decrypt.
POLICIES = ("default", "open", "no decrypt")

Context = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ModelGrant:
    key: int
    grantee: str
    operations: frozenset[str]
    subset: Context = ()
    equals: Context = ()
    name: str = ""
    retiring: str = ""
    issuer: str = ""  # account
    ends: float | None = None

    def admits(self, context: Context) -> bool:
        return set(self.subset) <= set(context) and (
            not self.equals or set(self.equals) == set(context)
        )

    def covers(self, child: "ModelGrant") -> bool:
        within = set(self.subset) <= set(child.subset) | set(child.equals)
        return (
            child.operations <= self.operations
            and within
            and (not self.equals or set(child.equals) == set(self.equals))
        )


@dataclass
class ModelKey:
    state: str = "Enabled"
    unusable: float | None = None
    gone: float | None = None
    policy: str = "default"
    rotations: int = 0


@dataclass
class Model:
    now: float = 0.0
    keys: dict[int, ModelKey] = field(default_factory=dict)
    grants: dict[str, ModelGrant] = field(default_factory=dict)

    # Permissions

    def allowed(
        self,
        caller: str,
        operation: str,
        key: int,
        context: Context = (),
        child: ModelGrant | None = None,
    ) -> bool:
        of = self.keys[key].policy
        if of == "no decrypt" and operation == "Decrypt":
            return False
        if caller == OWNER or (
            caller == OTHER and of == "open" and operation in ("Encrypt", "Decrypt")
        ):
            return True
        for grant in self.grants.values():
            if (
                grant.key == key
                and grant.grantee == caller
                and operation in grant.operations
                and self.in_effect(grant)
            ):
                if operation == "CreateGrant":
                    if child and grant.covers(child):
                        return True
                elif operation == "DescribeKey" or grant.admits(context):
                    return True
        return False

    def in_effect(self, grant: ModelGrant) -> bool:
        return grant.ends is None or self.now < grant.ends

    # Answers

    def exists(self, key: int) -> bool:
        gone = self.keys[key].gone
        return gone is None or self.now < gone

    def usable(self, key: int) -> bool:
        unusable = self.keys[key].unusable
        return unusable is None or self.now < unusable

    def effective(self, key: int) -> str:
        return "Enabled" if self.usable(key) else self.keys[key].state

    def use(self, caller: str, operation: str, key: int, context: Context = ()) -> str:
        """Return the answer to a cryptographic operation that names its key."""
        if not self.exists(key):
            return "NotFoundException" if ACCOUNT[caller] == "ours" else "AccessDeniedException"
        if not self.allowed(caller, operation, key, context):
            return "AccessDeniedException"
        return self.by_state(self.effective(key))

    def decrypt(self, caller: str, key: int, closed: Context, opened: Context) -> str:
        """Return the answer to Decrypt, where only the ciphertext identifies the key."""
        if not self.exists(key):
            return "AccessDeniedException"
        return self.use(caller, "Decrypt", key, opened) or (
            "" if set(closed) == set(opened) else "InvalidCiphertextException"
        )

    def reencrypt(
        self,
        caller: str,
        source: int,
        closed: Context,
        opened: Context,
        destination: int,
        new: Context,
    ) -> str:
        if not self.exists(source):
            return "AccessDeniedException"
        if not self.allowed(caller, "ReEncryptFrom", source, opened):
            return "AccessDeniedException"
        if not self.exists(destination):
            return "NotFoundException" if ACCOUNT[caller] == "ours" else "AccessDeniedException"
        if not self.allowed(caller, "ReEncryptTo", destination, new):
            return "AccessDeniedException"
        states = self.by_state(self.effective(source)) or self.by_state(self.effective(destination))
        return states or ("" if set(closed) == set(opened) else "InvalidCiphertextException")

    def administer(self, caller: str, operation: str, key: int) -> str:
        if not self.exists(key):
            return "NotFoundException" if ACCOUNT[caller] == "ours" else "AccessDeniedException"
        if caller != OWNER:
            return "AccessDeniedException"
        state = self.keys[key].state
        if operation == "CancelKeyDeletion":
            return "" if state == "PendingDeletion" else "KMSInvalidStateException"
        if operation == "RotateKeyOnDemand":
            return self.by_state(state)
        return (
            "KMSInvalidStateException"
            if state == "PendingDeletion" and operation != "PutKeyPolicy"
            else ""
        )

    def grant_made(self, caller: str, child: ModelGrant) -> str:
        if not self.exists(child.key):
            return "NotFoundException" if ACCOUNT[caller] == "ours" else "AccessDeniedException"
        if not self.allowed(caller, "CreateGrant", child.key, child=child):
            return "AccessDeniedException"
        if child.operations == {"CreateGrant"}:
            return "ValidationException"
        return self.by_state(self.effective(child.key))

    def grant_ended(self, caller: str, operation: str, grant_id: str) -> str:
        grant = self.grants[grant_id]
        if operation == "RevokeGrant":
            refused = self.administer(caller, "PutKeyPolicy", grant.key)
            if refused:
                return refused
        if not self.exists(grant.key) or grant.ends is not None:
            return "NotFoundException"
        may_retire = caller == grant.retiring or (
            caller not in SERVICES and ACCOUNT[caller] == grant.issuer
        )
        return "" if operation == "RevokeGrant" or may_retire else "AccessDeniedException"

    def shown(self, caller: str, key: int) -> str:
        """Return the state that DescribeKey shows, or the code of its refusal."""
        if not self.exists(key):
            return "NotFoundException" if ACCOUNT[caller] == "ours" else "AccessDeniedException"
        if not self.allowed(caller, "DescribeKey", key):
            return "AccessDeniedException"
        return self.keys[key].state if caller == OWNER else self.effective(key)

    def listed(self, key: int) -> set[str]:
        return {
            grant_id
            for grant_id, grant in self.grants.items()
            if grant.key == key and grant.ends is None
        }

    @staticmethod
    def by_state(state: str) -> str:
        return {
            "Enabled": "",
            "Disabled": "DisabledException",
            "PendingDeletion": "KMSInvalidStateException",
        }[state]

    # Effects

    def change(self, operation: str, key: int, days: int = 30) -> None:
        of = self.keys[key]
        if operation == "DisableKey" and of.state == "Enabled":
            of.state, of.unusable = "Disabled", self.now + DELAY
        elif operation == "EnableKey":
            of.state, of.unusable = "Enabled", None
        elif operation == "ScheduleKeyDeletion":
            of.unusable = self.now + DELAY if of.unusable is None else of.unusable
            of.state, of.gone = "PendingDeletion", self.now + days * DAY
        elif operation == "CancelKeyDeletion":
            of.state, of.gone = "Disabled", None

    def end(self, grant_id: str) -> None:
        self.grants[grant_id] = replace(self.grants[grant_id], ends=self.now + DELAY)
