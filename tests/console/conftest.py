"""A console over a testbed without containers, shared by the tests of a file."""

from collections.abc import Iterator

import pytest

from testbed.aws.endpoint import serve
from tests.support.aws_endpoint import Served
from tests.support.brokers_offline import offline


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("console") / ".testbed"
    with offline(folder) as testbed, serve(testbed) as endpoint:
        yield Served(testbed, endpoint)
