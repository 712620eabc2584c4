"""The grants of a broker on its key; ``documented.grants`` has their shapes."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from testbed.broker.model import Broker, Grant
from testbed.documented.grants import MQ_PRINCIPAL, GrantShape
from testbed.errors import KmsError
from testbed.kms.base import Caller, Kms, is_outage
from testbed.storage import volumes


def create_service_grants(
    kms: Kms, caller: Caller, key_arn: str, shapes: Iterable[GrantShape]
) -> Iterator[Grant]:
    """Create the grants to Amazon MQ in the creator's session, each when the last was taken.

    Raises ``KmsError``.
    """
    session = caller.through(MQ_PRINCIPAL)
    return (_create(kms, session, key_arn, shape) for shape in shapes if not shape.of_volume)


def create_volume_grants(
    kms: Kms, broker: Broker, shapes: Iterable[GrantShape], volume_ids: Sequence[str]
) -> Iterator[Grant]:
    """Create a grant for each volume, by Amazon MQ's right, as ``create_service_grants`` does."""
    caller = volumes.service(broker.key_arn, broker.arn)
    return (
        _create(kms, caller, broker.key_arn, shape, volume)
        for shape in shapes
        if shape.of_volume
        for volume in volume_ids
    )


def renew(kms: Kms, broker: Broker, shape: GrantShape, ended: Grant) -> Grant:
    """Create a grant in place of one that has ``ended``, by the rights it was created by."""
    if shape.of_volume:
        caller = volumes.service(broker.key_arn, broker.arn)
    else:
        caller = broker.owner.through(MQ_PRINCIPAL)
    return _create(kms, caller, broker.key_arn, shape, ended.volume_id)


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
        grant["GrantId"]
        for principal in {principals[grant.name] for grant in expected}
        for grant in _retirable(kms, broker, principal)
    }
    return tuple(grant for grant in expected if grant.grant_id not in present)


def retire(kms: Kms, broker: Broker, shapes: Iterable[GrantShape]) -> None:
    """Retire what is left of the broker's grants, each as its retiring principal.

    A grant or key that no longer exists is ignored. Raises ``KmsError`` during an outage.
    """
    by_name = {shape.name: shape for shape in shapes}
    for grant in reversed(broker.grants):  # a control without encryption has none, and no key
        _retire(kms, broker, by_name[grant.name].retiring_principal, grant.grant_id)


def retire_strays(
    kms: Kms, broker: Broker, shapes: Iterable[GrantShape], noted: Container[str]
) -> None:
    """Retire a grant whose creator was killed before it was noted.

    AWS's grants have no name that says whose they are. So these are the grants on the broker's key
    that have its shapes, are not older than the broker, and are not ``noted`` for any. Raises
    ``KmsError`` during an outage.
    """
    for shape in shapes:
        for grant in _retirable(kms, broker, shape.retiring_principal):
            if grant["GrantId"] not in noted and _is_like(grant, broker, shape):
                _retire(kms, broker, shape.retiring_principal, grant["GrantId"])


def _is_like(grant: Mapping[str, Any], broker: Broker, shape: GrantShape) -> bool:
    contexts = [volumes.context(volume.volume_id) for volume in broker.volumes]
    constraints = [{"EncryptionContextSubset": context} for context in contexts]
    return (
        grant["KeyId"] == broker.key_arn
        and grant["GranteePrincipal"] == shape.grantee_principal
        and set(grant["Operations"]) == set(shape.operations)
        and grant.get("Constraints", {}) in (constraints if shape.of_volume else [{}])
        and not grant.get("Name")
        and _seconds(grant["CreationDate"]) >= int(_seconds(broker.created))
    )


def _seconds(time: float | str | datetime) -> float:
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return time.timestamp() if isinstance(time, datetime) else time


def _retire(kms: Kms, broker: Broker, principal: str, grant_id: str) -> None:
    caller = replace(volumes.service(broker.key_arn, broker.arn), principal=principal)
    try:
        kms.call(caller, "RetireGrant", {"KeyId": broker.key_arn, "GrantId": grant_id})
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


def _retirable(kms: Kms, broker: Broker, principal: str) -> Iterator[Mapping[str, Any]]:
    caller = replace(volumes.service(broker.key_arn, broker.arn), principal=principal)
    parameters: dict[str, Any] = {"RetiringPrincipal": principal, "Limit": 100}
    while True:
        answer = kms.call(caller, "ListRetirableGrants", parameters)
        yield from answer["Grants"]
        if not answer.get("Truncated"):
            return
        parameters["Marker"] = answer["NextMarker"]
