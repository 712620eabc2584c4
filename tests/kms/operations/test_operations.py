"""The table of operations names only what KMS has."""

from botocore.loaders import Loader

from testbed.kms.operations import OPERATIONS


def test_every_line_is_an_operation_of_kms() -> None:
    model = Loader().load_service_model("kms", "service-2")
    assert set(OPERATIONS) <= set(model["operations"])
