"""Fixtures of the endpoint over the session's testbed."""

import logging
from collections.abc import Iterator

import pytest

from testbed.aws.endpoint import serve
from testbed.testbed import Testbed
from tests.support.aws_endpoint import Served


@pytest.fixture(scope="session")
def aws(testbed: Testbed) -> Iterator[Served]:
    log: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: log.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("testbed.aws")
    logger.addHandler(handler)
    with serve(testbed) as endpoint:
        yield Served(testbed, endpoint, log)
    logger.removeHandler(handler)
