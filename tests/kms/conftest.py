"""KMS as the testbed assembles it, with a separate ledger for each test."""

from pathlib import Path

import pytest

from tests.support.kms_authority import Authority, over
from tests.support.kms_container import Container


@pytest.fixture
def aws(tmp_path: Path, running: Container) -> Authority:
    """Return KMS with an empty ledger over the session's LocalStack."""
    return over(running, tmp_path / "state")
