"""Custom key stores, of which the testbed has none.

Every store that is named is unknown, as on AWS. Creating one fails as it does there without a
CloudHSM cluster; an external key store, which could exist, is not supported.
"""

from collections.abc import Mapping
from typing import Any

from testbed.kms import refusals
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.paging import page

_ORIGINS = ("AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")


def describe(_: KmsServices, call: KmsCall) -> dict[str, Any]:
    """DescribeCustomKeyStores."""
    named = [call.parameters.get(name) for name in ("CustomKeyStoreId", "CustomKeyStoreName")]
    if all(named):
        raise refusals.invalid("Specify either CustomKeyStoreId or CustomKeyStoreName, not both.")
    if any(named):
        raise refusals.no_such_key_store()
    return page(call, "CustomKeyStores", ())


def create(_: KmsServices, call: KmsCall) -> dict[str, Any]:
    """CreateCustomKeyStore."""
    if call.parameters.get("CustomKeyStoreType", "AWS_CLOUDHSM") == "AWS_CLOUDHSM":
        cluster = call.parameters.get("CloudHsmClusterId")
        if not cluster:
            raise refusals.missing("cloudHsmClusterId")
        raise refusals.refusal(
            "CloudHsmClusterNotFoundException", f"There is no CloudHSM cluster {cluster}."
        )
    raise refusals.unsupported("External key stores are not supported here.")


def change(_: KmsServices, __: KmsCall) -> dict[str, Any]:
    """UpdateCustomKeyStore, DeleteCustomKeyStore, ConnectCustomKeyStore, DisconnectCustomKeyStore.

    All are refused.
    """
    raise refusals.no_such_key_store()


def check_origin(parameters: Mapping[str, Any]) -> None:
    """Refuse CreateKey in a custom key store."""
    origin, store = parameters.get("Origin", "AWS_KMS"), parameters.get("CustomKeyStoreId")
    if origin in _ORIGINS and not store:
        raise refusals.invalid(f"A key of Origin {origin} requires a CustomKeyStoreId.")
    if store and origin not in _ORIGINS:
        raise refusals.invalid(f"A key of Origin {origin} cannot have a CustomKeyStoreId.")
    if "XksKeyId" in parameters and origin != "EXTERNAL_KEY_STORE":
        raise refusals.invalid(f"A key of Origin {origin} cannot have an XksKeyId.")
    if store:
        raise refusals.no_such_key_store()
