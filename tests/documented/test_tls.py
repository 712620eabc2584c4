"""The documented suites are real: name, OpenSSL name and code as in the registry."""

import pytest

from testbed.documented import fips
from testbed.documented.claims import CLAIMS
from testbed.documented.tls import ACTIVEMQ_SUITES, API, PROFILES, RABBITMQ_SUITES, Suite
from testbed.wire.tls_messages import registry


@pytest.mark.parametrize(
    "suites", [*(p.suites for p in PROFILES.values()), API.suites, fips.SUITES]
)
def test_every_suite_is_as_in_the_registry(suites: tuple[Suite, ...]) -> None:
    assert [suite for suite in suites if registry().get(suite.code) != suite] == []
    assert len({suite.code for suite in suites}) == len(suites)


def test_the_engines_have_as_many_suites_as_the_page_lists() -> None:
    assert (len(ACTIVEMQ_SUITES), len(RABBITMQ_SUITES)) == (18, 2)
    evidence = {claim.id: claim.evidence for claim in CLAIMS}
    assert "exactly the 18 documented" in evidence["T6"]
    assert "exactly the two documented" in evidence["T3"]
