"""Kill the broker's process, or break the mount of its volume."""

from typing import ClassVar

from testbed.errors import TestbedError
from testbed.faults.base import Fault, Record, Target
from testbed.storage import raw

# In a node: by name, since ids differ; the broker runs as an unprivileged user.
_KILL = """
for comm in /proc/[0-9]*/comm; do
    read -r name <"$comm" 2>/dev/null || continue
    case " $* " in *" $name "*) kill -KILL "$(echo "$comm" | cut -d / -f 3)" && found=1 ;; esac
done
[ -n "$found" ]
"""


class KillProcess(Fault):
    name = "kill-process"
    summary = "Kill the broker's process alone: what it wrote so far stays written."
    in_aws = "The broker crashes, or the kernel ends it for want of memory (BROKER_OOM)."
    lasts = False
    processes: ClassVar[tuple[str, ...]] = ("beam.smp", "java")

    def inject(self, target: Target, record: Record) -> None:
        for node in target.nodes:
            code, output = target.testbed.containers.execute(
                node.container_id, ["sh", "-c", _KILL, "kill", *self.processes], user="root"
            )
            if code:
                raise TestbedError(
                    f"Node {node.name} has none of the processes {', '.join(self.processes)}. "
                    f"{output.decode(errors='replace').strip()}",
                    hint="`testbed status` shows which nodes run.",
                )

    def undo(self, target: Target, record: Record) -> None:
        """Leave it to the start of the nodes that do not run."""

    def describe(self, record: Record) -> str:
        return f"Killed the broker's process of {record['subject']}."


# Let the filesystem fail at once, as on a disk that is gone (EXT4_IOC_SHUTDOWN): what was not
# written yet is lost.
_SHUT_DOWN = """
open my $mount, "<", $ARGV[0] or die;
ioctl $mount, 0x8004587D, my $flag = pack "L", 2 or die "$!\n";
"""


class KillMount(KillProcess):
    name = "kill-mount"
    summary = "Break the mount of the volume under the running broker."
    in_aws = "The volume is lost while the broker writes to it."
    processes = ("gocryptfs",)

    def refusal(self, target: Target) -> str:
        if all(node.volume.encrypted or node.volume.kind == "block" for node in target.nodes):
            return ""
        return "The volume is not encrypted, so no process is behind its mount."

    def inject(self, target: Target, record: Record) -> None:
        if target.nodes[0].volume.kind == "files":
            super().inject(target, record)
            return
        for node in target.nodes:
            command = ["perl", "-e", _SHUT_DOWN, raw.MOUNT]
            code, output = target.testbed.containers.execute(
                node.container_id, command, user="root"
            )
            if code:
                raise TestbedError(
                    f"The volume of node {node.name} could not be taken away: "
                    f"{output.decode(errors='replace').strip()}",
                    hint="`testbed status` shows which nodes run.",
                )

    def describe(self, record: Record) -> str:
        return f"Broke the mount of the volume of {record['subject']}."
