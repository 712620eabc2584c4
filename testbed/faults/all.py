"""The faults, in the order of lists."""

from testbed.errors import TestbedError
from testbed.faults.base import Fault
from testbed.faults.certificate import ExpireCertificate, RotateCertificate
from testbed.faults.clock import TurnClock
from testbed.faults.disk import DiskFull, DiskSlow
from testbed.faults.engine import RestartEngine
from testbed.faults.grants import RevokeGrants
from testbed.faults.key import DisableKey, ScheduleKeyDeletion
from testbed.faults.kill import Kill
from testbed.faults.kms_answers import KmsSlow, KmsThrottle
from testbed.faults.kms_container import KmsDown, KmsPause
from testbed.faults.kms_keys import KmsForget
from testbed.faults.link import Cut, LossyLink, SlowLink
from testbed.faults.material import ExpireKeyMaterial
from testbed.faults.pause import Pause
from testbed.faults.process import KillMount, KillProcess
from testbed.faults.volume import DamageVolume, EmptyVolume, RollBackVolume, TruncateVolume

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Kill(),
        KillProcess(),
        KillMount(),
        Pause(),
        Cut(),
        SlowLink(),
        LossyLink(),
        DiskFull(),
        DiskSlow(),
        DamageVolume(),
        TruncateVolume(),
        EmptyVolume(),
        RollBackVolume(),
        KmsDown(),
        KmsPause(),
        KmsSlow(),
        KmsThrottle(),
        KmsForget(),
        DisableKey(),
        ScheduleKeyDeletion(),
        ExpireKeyMaterial(),
        RevokeGrants(),
        RotateCertificate(),
        ExpireCertificate(),
        TurnClock(),
        RestartEngine(),
    )
}


def find(name: str) -> Fault:
    """Return the fault of that name. Raises ``TestbedError``."""
    if name not in FAULTS:
        raise TestbedError(f"There is no fault {name!r}.", hint=f"There are: {', '.join(FAULTS)}.")
    return FAULTS[name]
