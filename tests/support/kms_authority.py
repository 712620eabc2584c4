"""KMS as the testbed runs it, over one LocalStack container shared by all tests."""

import atexit
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import KmsError
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import EFS, MQ, USER, USER_ACCOUNT, Caller
from testbed.kms.ledger import Ledger
from testbed.state.clock import Clock
from testbed.state.store import State
from tests.support.kms_container import Container, localstack

OTHER_ACCOUNT = "222222222222"
ADMIN = Caller(f"arn:aws:iam::{USER_ACCOUNT}:user/admin", USER_ACCOUNT, "IAMUser")
SESSION = Caller(f"arn:aws:sts::{USER_ACCOUNT}:assumed-role/Ops/alice", USER_ACCOUNT, "AssumedRole")
VIA_MQ = replace(SESSION, invoked_by="mq.amazonaws.com")
GRANTEE = Caller(f"arn:aws:iam::{OTHER_ACCOUNT}:user/grantee", OTHER_ACCOUNT, "IAMUser")
STRANGER = Caller("arn:aws:iam::333333333333:root", "333333333333", "Root")
SERVICE = replace(MQ, account=USER_ACCOUNT)  # Amazon MQ acting in the user's account
EC2 = replace(MQ, principal=f"ec2.{DEFAULT_REGION}.amazonaws.com", account=USER_ACCOUNT)
EFS_HERE = replace(EFS, account=USER_ACCOUNT)

VOLUME = {"aws:ebs:id": "vol-0123456789abcdef0"}
NOWHERE = "00000000-0000-4000-8000-000000000000"
DELAY = 3600.0  # seconds; long, because real time passes too
DAY = 86400.0


@dataclass(frozen=True)
class Authority:
    """``KmsAuthority`` with its surroundings; ``happened`` is what the service did by itself."""

    kms: KmsAuthority
    clock: Clock
    state: State
    container: Container
    happened: list[tuple[str, str, float, Mapping[str, str]]]

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.state)

    def call(self, caller: Caller, operation: str, **parameters: Any) -> dict[str, Any]:
        return self.kms.call(caller, operation, parameters)

    def key(self, caller: Caller = USER, **parameters: Any) -> str:
        """Create a key and return its ARN."""
        arn: str = self.call(caller, "CreateKey", **parameters)["KeyMetadata"]["Arn"]
        return arn

    def encrypt(
        self,
        key: str,
        plaintext: bytes = b"data",
        context: dict[str, str] = VOLUME,
        caller: Caller = USER,
    ) -> bytes:
        blob: bytes = self.call(
            caller, "Encrypt", KeyId=key, Plaintext=plaintext, EncryptionContext=context
        )["CiphertextBlob"]
        return blob

    def decrypt(
        self,
        blob: bytes,
        context: dict[str, str] = VOLUME,
        caller: Caller = USER,
        **parameters: Any,
    ) -> bytes:
        plaintext: bytes = self.call(
            caller, "Decrypt", CiphertextBlob=blob, EncryptionContext=context, **parameters
        )["Plaintext"]
        return plaintext

    def grant(
        self, key: str, grantee: str, *operations: str, by: Caller = USER, **parameters: Any
    ) -> str:
        """Create a grant and return its id."""
        grant_id: str = self.call(
            by,
            "CreateGrant",
            KeyId=key,
            GranteePrincipal=grantee,
            Operations=list(operations),
            **parameters,
        )["GrantId"]
        return grant_id

    def shown(self, key: str, caller: Caller = USER) -> str:
        """Return the key's state as DescribeKey shows it to ``caller``."""
        state: str = self.call(caller, "DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"]
        return state

    def code(self, caller: Caller, operation: str, **parameters: Any) -> str:
        """Return the code of the refusal, empty if the call succeeds."""
        refusal = self.refusal(caller, operation, **parameters)
        return refusal.code if refusal else ""

    def refusal(self, caller: Caller, operation: str, **parameters: Any) -> KmsError | None:
        """Return the refusal, None if the call succeeds."""
        try:
            self.call(caller, operation, **parameters)
        except KmsError as refusal:
            return refusal
        return None


@cache
def container() -> Container:
    """Start the container on first use; remove it at the end of the run."""
    stack = ExitStack()
    running = stack.enter_context(localstack())
    atexit.register(stack.close)
    running.start()
    return running


def over(running: Container, folder: Path, **options: Any) -> Authority:
    """Return a new authority over the state in ``folder``, by default with ``DELAY``."""
    state, happened = State(folder), []
    clock = Clock(state)
    kms = KmsAuthority(
        running.kms,
        state,
        clock,
        **{"delay": DELAY, "on_event": lambda *event: happened.append(event), **options},
    )
    return Authority(kms, clock, state, running, happened)
