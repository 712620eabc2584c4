"""The states of a broker, and which operations the service accepts in each.

"You can reboot only a broker with the RUNNING status", and one with a lost key is to be deleted.
For DeleteBroker during a creation and a reboot there are errors that users quote. Where nothing is
documented, a change is accepted while the broker is in service, and a read always.

Sources: API, KMSERR.
"""

from collections.abc import Mapping

# Those of the API. REPLICA is a broker of cross-Region data replication.
STATES = frozenset(
    {
        "CREATION_IN_PROGRESS",
        "CREATION_FAILED",
        "DELETION_IN_PROGRESS",
        "RUNNING",
        "REBOOT_IN_PROGRESS",
        "CRITICAL_ACTION_REQUIRED",
        "REPLICA",
    }
)
IN_SERVICE = frozenset({"RUNNING", "CRITICAL_ACTION_REQUIRED", "REPLICA"})

# The states in which an operation on a broker is accepted. Every other operation is in all of them.
ACCEPTED: Mapping[str, frozenset[str]] = {
    "UpdateBroker": IN_SERVICE,
    "CreateUser": IN_SERVICE,
    "UpdateUser": IN_SERVICE,
    "DeleteUser": IN_SERVICE,
    "RebootBroker": frozenset({"RUNNING"}),
    "DeleteBroker": IN_SERVICE | {"CREATION_FAILED"},
}
