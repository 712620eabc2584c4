"""Amazon MQ's service-linked role, which the first RabbitMQ broker of an account brings (MQSLR)."""

from dataclasses import replace
from typing import Any

from testbed.account.moto_backends import MotoBackends
from testbed.account.store import Place
from testbed.documented import regions
from testbed.documented.permissions import SERVICE_LINKED_ROLE, SERVICE_LINKED_ROLE_OF
from testbed.kms.base import Caller
from testbed.trail.recording import Recorder


def provide(backends: MotoBackends, recorder: Recorder, caller: Caller) -> None:
    """Create the role in the caller's account and name, unless it is there.

    Whether the caller may is decided where its request arrives.
    """
    partition = regions.partition(caller.region).name
    directory = backends.store.directories().get((caller.account, partition))
    if directory and SERVICE_LINKED_ROLE in directory.roles:
        return
    from testbed.account.iam import Iam  # it loads moto
    from testbed.account.iam_operations import complete_linked_role

    def create(iam: Any) -> Any:
        if any(role.name == SERVICE_LINKED_ROLE for role in iam.get_roles()):
            return None  # another process was faster
        role = iam.create_service_linked_role(SERVICE_LINKED_ROLE_OF, "", "")
        complete_linked_role(iam, role)
        return role

    role = backends.change(Iam(backends.store), Place("iam", caller.account, partition), create)
    if role:
        asked = replace(
            caller.through(SERVICE_LINKED_ROLE_OF), region=regions.of_global_services(caller.region)
        )
        sent = {"AWSServiceName": SERVICE_LINKED_ROLE_OF}
        made = {"RoleName": role.name, "RoleId": role.id, "Arn": role.arn, "Path": role.path}
        recorder.call_within("iam", asked, "CreateServiceLinkedRole", sent, {"Role": made})
