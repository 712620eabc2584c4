"""Keys that a test leaves disabled are put back, one by one."""

from types import SimpleNamespace
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.testing.isolation import usable_keys


class _Key:
    def __init__(self, *, is_lost: bool) -> None:
        self.state, self._is_lost = "Enabled", is_lost

    def enable(self) -> None:
        if self._is_lost:
            raise KmsError("It is gone.", code="NotFoundException")
        self.state = "Enabled"


def _broker(*, is_lost: bool) -> Any:
    upkeep = SimpleNamespace(check=lambda _: None, revive=lambda _: None)
    testbed = SimpleNamespace(brokers=SimpleNamespace(upkeep=upkeep))
    key = _Key(is_lost=is_lost)
    return SimpleNamespace(key=key, key_arn="arn", broker_id="b-1", testbed=testbed)


@pytest.mark.parametrize("lost_first", [True, False])
def test_a_key_that_is_gone_does_not_keep_another_disabled(lost_first: bool) -> None:
    brokers = [_broker(is_lost=lost_first), _broker(is_lost=not lost_first)]
    putting_back = usable_keys(brokers)
    putting_back.__enter__()
    for broker in brokers:
        broker.key.state = "Disabled"
    with pytest.raises(KmsError, match="It is gone"):
        putting_back.__exit__(None, None, None)
    assert sorted(broker.key.state for broker in brokers) == ["Disabled", "Enabled"]
