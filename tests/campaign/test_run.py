"""What ends a campaign early, and what is kept of it."""

import psutil
import pytest

from testbed.campaign.run import INTERRUPTED, keeping
from testbed.errors import ContainerFailed
from tests.support.campaign import played


def test_rounds_are_kept_when_the_next_one_fails() -> None:
    with keeping([played()]) as reasons:
        raise ContainerFailed("No broker\ncame up.")
    assert reasons == ["It broke off: No broker came up."]


def test_rounds_are_kept_when_it_is_interrupted() -> None:
    with keeping([played()]) as reasons:
        raise KeyboardInterrupt
    assert reasons == [INTERRUPTED]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ContainerFailed("No broker came up.")])
def test_what_fails_before_the_first_round_is_raised(error: BaseException) -> None:
    with pytest.raises(type(error)), keeping([]):
        raise error


def test_errors_of_libraries_are_raised_unless_they_are_named() -> None:
    with keeping([played()], psutil.Error) as reasons:
        raise psutil.NoSuchProcess(1)
    assert reasons
    with pytest.raises(psutil.Error), keeping([played()]):
        raise psutil.NoSuchProcess(1)
