"""Custom key stores: there are none, and nothing is made in one."""

from typing import Any

import pytest

from testbed.kms.base import USER
from tests.support.kms_authority import Authority

pytestmark = pytest.mark.containers

STORE = "cks-1234567890abcdef0"


@pytest.mark.parametrize("origin", ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])
def test_a_key_in_an_unknown_store_is_refused(aws: Authority, origin: str) -> None:
    keys = aws.call(USER, "ListKeys")["Keys"]
    code = aws.code(USER, "CreateKey", Origin=origin, CustomKeyStoreId=STORE)
    assert code == "CustomKeyStoreNotFoundException"
    assert aws.code(USER, "CreateKey", Origin=origin) == "ValidationException"
    assert aws.code(USER, "CreateKey", CustomKeyStoreId=STORE) == "ValidationException"
    assert aws.code(USER, "CreateKey", XksKeyId="mine") == "ValidationException"
    assert aws.call(USER, "ListKeys")["Keys"] == keys, "nothing is left behind"


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("DescribeCustomKeyStores", {"CustomKeyStoreId": STORE}, "CustomKeyStoreNotFound"),
        ("DescribeCustomKeyStores", {"CustomKeyStoreName": "s"}, "CustomKeyStoreNotFound"),
        ("ConnectCustomKeyStore", {"CustomKeyStoreId": STORE}, "CustomKeyStoreNotFound"),
        ("DisconnectCustomKeyStore", {"CustomKeyStoreId": STORE}, "CustomKeyStoreNotFound"),
        ("DeleteCustomKeyStore", {"CustomKeyStoreId": STORE}, "CustomKeyStoreNotFound"),
        ("UpdateCustomKeyStore", {"CustomKeyStoreId": STORE}, "CustomKeyStoreNotFound"),
        (
            "GenerateRandom",
            {"NumberOfBytes": 8, "CustomKeyStoreId": STORE},
            "CustomKeyStoreNotFound",
        ),
        (
            "CreateCustomKeyStore",
            {"CustomKeyStoreName": "s", "CloudHsmClusterId": "cluster-abcdefghijk"},
            "CloudHsmClusterNotFound",
        ),
        (
            "CreateCustomKeyStore",
            {"CustomKeyStoreName": "s", "CustomKeyStoreType": "EXTERNAL_KEY_STORE"},
            "UnsupportedOperation",
        ),
    ],
)
def test_no_store_is_known(
    aws: Authority, operation: str, parameters: dict[str, Any], code: str
) -> None:
    assert aws.code(USER, operation, **parameters) == f"{code}Exception"


def test_the_list_is_empty(aws: Authority) -> None:
    answer = aws.call(USER, "DescribeCustomKeyStores")
    assert answer == {"CustomKeyStores": [], "Truncated": False}
