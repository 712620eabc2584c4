"""KMS as the testbed assembles it, with a ledger of each test's own."""

from pathlib import Path

import pytest

from tests.support.kms_authority import Authority, over
from tests.support.kms_container import Container


@pytest.fixture
def aws(tmp_path: Path, running: Container) -> Authority:
    """A fresh ledger over the session's LocalStack."""
    return over(running, tmp_path / "state")
