"""The services around Amazon MQ in moto."""

import pytest
from moto.core.utils import camelcase_to_underscores

from testbed.account.neighbours import neighbour
from testbed.documented.neighbours import NEIGHBOURS


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_moto_has_every_operation_that_is_served(name: str) -> None:
    operations = neighbour(name)._operations
    has = {each for each in dir(operations) if callable(getattr(operations, each))}
    served = NEIGHBOURS[name].operations
    assert {each for each in served if camelcase_to_underscores(each) not in has} == set()
