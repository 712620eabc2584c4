"""Words and numbers as every renderer writes them."""

import pytest

from testbed.report.text import counted


@pytest.mark.parametrize(("count", "written"), [(0, "0 grants"), (1, "1 grant"), (2, "2 grants")])
def test_one_is_counted_in_the_singular(count: int, written: str) -> None:
    assert counted(count, "grant") == written
