"""Whose policies decide while they change."""

from pathlib import Path
from typing import Any

import pytest

from testbed.account import identities as module
from testbed.account.directory import AccessKey, Directory, Document, User
from testbed.account.identities import Identities
from testbed.account.store import AccountStore
from testbed.policy.evaluate import Policies

ACCOUNT, KEY = "000000000000", "AKIA0000000000000000"
EVERYTHING = Document("own", '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}')


def put(store: AccountStore, *policies: Document) -> None:
    user = User(
        "alice",
        f"arn:aws:iam::{ACCOUNT}:user/alice",
        "AIDA0000000000000000",
        (AccessKey(KEY, "secret"),),
        policies,
    )
    with store.changing() as connection:
        store.put_directory(connection, ACCOUNT, "aws", Directory({"alice": user}))


def test_a_policy_that_is_removed_while_another_thread_reads_it_is_gone_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = AccountStore(tmp_path)
    put(store, EVERYTHING)
    identities = Identities(store)
    known = identities.known(KEY, "us-east-1")
    assert known
    parse, owners = module._parsed, list[Any]()

    def slowly(owner: Any) -> Policies:
        parsed = parse(owner)
        owners.append(owner)
        if len(owners) == 1:  # meanwhile, in another thread
            put(store)
            assert identities.policies(known.caller).identity == ()
        return parsed

    monkeypatch.setattr(module, "_parsed", slowly)
    assert identities.policies(known.caller).identity, "as they were when the call began"
    assert identities.policies(known.caller).identity == ()
    store.close()
