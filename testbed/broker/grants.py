"""The grants of a broker on its key; ``documented.grants`` has their shapes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from testbed.broker.model import Broker, Grant
from testbed.documented.grants import MQ_PRINCIPAL, GrantShape
from testbed.errors import KmsError
from testbed.kms.base import Caller, Kms, is_outage
from testbed.storage import volumes


def create_service_grants(
    kms: Kms, caller: Caller, key_arn: str, shapes: Iterable[GrantShape]
) -> tuple[Grant, ...]:
    """Create the grants to Amazon MQ in the creator's session. Raises ``KmsError``."""
    session = caller.through(MQ_PRINCIPAL)
    return tuple(_create(kms, session, key_arn, shape) for shape in shapes if not shape.of_volume)


def create_volume_grants(
    kms: Kms, broker: Broker, shapes: Iterable[GrantShape], volume_ids: Sequence[str]
) -> tuple[Grant, ...]:
    """Create a grant for each volume, by Amazon MQ's right. Raises ``KmsError``."""
    caller = volumes.service(broker.key_arn, broker.arn)
    return tuple(
        _create(kms, caller, broker.key_arn, shape, volume)
        for shape in shapes
        if shape.of_volume
        for volume in volume_ids
    )


def missing(
    kms: Kms, broker: Broker, shapes: Iterable[GrantShape], volume_id: str = ""
) -> tuple[Grant, ...]:
    """Return the broker's grants that are no longer on its key.

    With ``volume_id``, only the grants of that volume and of the service count. Each service lists
    the grants that it may retire, which needs no permission of the key's owner. Raises
    ``KmsError`` when KMS is unavailable.
    """
    expected = [
        grant for grant in broker.grants if not volume_id or grant.volume_id in ("", volume_id)
    ]
    principals = {shape.name: shape.retiring_principal for shape in shapes}
    present = {
        grant_id
        for principal in {principals[grant.name] for grant in expected}
        for grant_id in _retirable(kms, broker, principal)
    }
    return tuple(grant for grant in expected if grant.grant_id not in present)


def retire(kms: Kms, broker: Broker, shapes: Iterable[GrantShape]) -> None:
    """Retire what is left of the broker's grants, each as its retiring principal.

    A grant or key that no longer exists is ignored. Raises ``KmsError`` during an outage.
    """
    by_name = {shape.name: shape for shape in shapes}
    for grant in reversed(broker.grants):  # a control without encryption has none, and no key
        service = volumes.service(broker.key_arn, broker.arn)
        caller = replace(service, principal=by_name[grant.name].retiring_principal)
        try:
            kms.call(caller, "RetireGrant", {"KeyId": broker.key_arn, "GrantId": grant.grant_id})
        except KmsError as error:
            if is_outage(error):
                raise


def _create(
    kms: Kms, caller: Caller, key_arn: str, shape: GrantShape, volume_id: str = ""
) -> Grant:
    parameters: dict[str, Any] = {
        "KeyId": key_arn,
        "GranteePrincipal": shape.grantee_principal,
        "RetiringPrincipal": shape.retiring_principal,
        "Operations": list(shape.operations),
    }
    if volume_id:
        parameters["Constraints"] = {"EncryptionContextSubset": volumes.context(volume_id)}
    return Grant(shape.name, kms.call(caller, "CreateGrant", parameters)["GrantId"], volume_id)


def _retirable(kms: Kms, broker: Broker, principal: str) -> Iterable[str]:
    caller = replace(volumes.service(broker.key_arn, broker.arn), principal=principal)
    parameters: dict[str, Any] = {"RetiringPrincipal": principal, "Limit": 100}
    while True:
        answer = kms.call(caller, "ListRetirableGrants", parameters)
        yield from (grant["GrantId"] for grant in answer["Grants"])
        if not answer.get("Truncated"):
            return
        parameters["Marker"] = answer["NextMarker"]
