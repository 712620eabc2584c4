"""The operations of Amazon MQ's API, and the page that lists them."""

from pathlib import Path

import pytest

from testbed import api_models
from testbed.aws.mq import OPERATIONS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "aws-endpoint.md").read_text()
SUPPORTED, UNSUPPORTED = PAGE.partition("## Supported operations")[2].split(
    "## Unsupported operations"
)


def test_every_line_is_an_operation_of_the_api() -> None:
    assert set(OPERATIONS) <= set(api_models.operations("mq"))


@pytest.mark.parametrize("operation", sorted(api_models.operations("mq")))
def test_the_page_says_whether_an_operation_is_supported(operation: str) -> None:
    assert operation in (SUPPORTED if operation in OPERATIONS else UNSUPPORTED)
