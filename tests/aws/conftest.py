"""The endpoint over the session's testbed."""

from collections.abc import Iterator

import pytest

from testbed.aws.endpoint import serve
from testbed.testbed import Testbed
from tests.support.aws_endpoint import Served


@pytest.fixture(scope="session")
def aws(testbed: Testbed) -> Iterator[Served]:
    log: list[str] = []
    with serve(testbed, log=log.append) as endpoint:
        yield Served(testbed, endpoint, log)
