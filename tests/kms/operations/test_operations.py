"""The table of operations names only what KMS has."""

from testbed import api_models
from testbed.kms.operations import OPERATIONS


def test_every_line_is_an_operation_of_kms() -> None:
    assert set(OPERATIONS) <= set(api_models.operations("kms"))


def test_all_others_are_localstacks_as_they_are() -> None:
    assert set(api_models.operations("kms")) - set(OPERATIONS) == {"UpdateKeyDescription"}
