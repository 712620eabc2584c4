"""Managed services that find sensitive data: the page's advice on data in S3, not on brokers."""

from collections.abc import Iterator

from testbed.cli.scenario import run_file
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed

TITLE = "Services that find sensitive data in S3 have nothing to look at in a broker"
CLAIMS = ("P9",)


def run(testbed: Testbed) -> Iterator[Finding]:
    """Say why the claim is not reproducible."""
    del testbed
    reason = "the statement is about data in S3, where Amazon Macie looks, and not about brokers"
    yield Finding("P9", "Amazon Macie", Verdict.NOT_REPRODUCIBLE, (reason,))


if __name__ == "__main__":
    run_file(__file__)
