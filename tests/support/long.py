"""Tests that take minutes run only where they are asked for: ``TESTBED_LONG=1``."""

import os

import pytest

LONG = pytest.mark.skipif(
    not os.environ.get("TESTBED_LONG"), reason="takes minutes: set TESTBED_LONG=1"
)
