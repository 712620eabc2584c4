"""A block volume: what is on its image, to whom it attaches, and what is left of it detached."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from testbed.runtime.containers import Containers
from testbed.runtime.tasks import run_concurrently
from testbed.storage import raw
from tests.support.bare_node import MIB, BareNode, bare_node, bare_nodes
from tests.support.broker_node import wait_for

pytestmark = pytest.mark.containers
CANARY = "canary-in-a-file"
NAME = "canary-in-a-name"
_WRITE = f"mkdir {NAME}; echo {CANARY} >{NAME}/{NAME}"
# From another container: the loop devices of the image in /other, by its inode.
_LOOPS = """
for device in /sys/block/loop*; do
    [ -e "$device/loop" ] || continue
    name=/dev/${device##*/}; number=$(cat "$device/dev")
    [ -b "$name" ] || mknod "$name" b "${number%:*}" "${number#*:}"
done
losetup --list --noheadings --raw --output BACK-INO | grep -cx "$(stat -c %i /other/volume.img)"
"""
# EXT4_IOC_SHUTDOWN, without writing what is still in memory.
SHUTDOWN = (
    'open my $mount, "<", $ARGV[0] or die;'
    'ioctl $mount, 0x8004587D, my $flag = pack "L", 2 or die "$!\\n"'
)
_SHOW = f"cat /data/broker/{NAME}/{NAME}"


@pytest.fixture(scope="module")
def ground() -> Iterator[tuple[Containers, str]]:
    with bare_nodes() as ground:
        yield ground


@pytest.fixture
def node(ground: tuple[Containers, str]) -> Iterator[BareNode]:
    node = bare_node(*ground)
    yield node
    node.detach()


def write(node: BareNode) -> None:
    node.run(f"cd /data/broker; {_WRITE}")


def in_volume(node: BareNode, script: str, *, by: BareNode) -> str:
    """Run ``script`` in a node that has the volume of ``node`` in /other."""
    by.volumes[node.volume] = "/other"
    by.attach()
    code, output = by.containers.execute(by.container, ["sh", "-c", script], user="root")
    by.detach()
    assert code in (0, 1), output.decode()
    return output.decode().strip()


@pytest.fixture
def other(ground: tuple[Containers, str]) -> BareNode:
    return bare_node(*ground)


def test_neither_contents_nor_names_are_in_a_byte_of_the_image(node: BareNode) -> None:
    node.attach()
    write(node)
    assert node.run(_SHOW) == CANARY
    for text in (CANARY, NAME):
        search = raw.on_disk(node.containers, node.container, text.encode())
        assert search.hits == 0
        assert search.scanned > 20_000


def test_control_both_are_in_the_image_without_encryption(node: BareNode) -> None:
    node.data_key = None
    node.attach()
    write(node)
    for text in (CANARY, NAME):
        assert raw.on_disk(node.containers, node.container, text.encode()).hits > 0


def test_the_broker_has_neither_devices_nor_image_nor_capabilities(node: BareNode) -> None:
    node.attach()
    assert node.run("ls /dev/loop[0-9]* 2>/dev/null || echo none") == "none"
    assert node.run("cat /volume/volume.img >/dev/null 2>&1 || echo refused") == "refused"
    assert node.run("grep CapBnd /proc/1/status").split()[1] == "0" * 16


def test_nothing_is_left_of_a_killed_nodes_volume(node: BareNode, other: BareNode) -> None:
    node.attach()
    write(node)
    assert in_volume(node, _LOOPS, by=other) == "1"  # control
    node.detach()
    assert in_volume(node, _LOOPS, by=other) == "0"
    key, node.data_key = node.data_key, None
    code, said = node.refusal(attached=0)
    assert (code, "cannot be written" in said) == (70, True)
    node.detach()
    node.data_key = key
    node.attach(attached=1)
    assert node.run(_SHOW) == CANARY


def test_another_key_does_not_open_it(node: BareNode, other: BareNode) -> None:
    node.attach()
    write(node)
    node.detach()
    key, node.data_key = node.data_key, other.data_key
    code, said = node.refusal()
    assert (code, "the data key does not open the volume" in said) == (12, True)
    node.detach()
    node.data_key = key
    node.attach(attached=1)
    assert node.run(_SHOW) == CANARY


def test_an_emptied_volume_is_not_formatted_again(node: BareNode, other: BareNode) -> None:
    node.attach()
    node.detach()
    in_volume(node, "rm /other/*", by=other)
    code, said = node.refusal()
    assert (code, "it was emptied, and is not formatted again" in said) == (65, True)
    node.detach()
    node.attach(attached=0)  # control: a creation formats


def test_another_volumes_image_is_not_taken_for_it(node: BareNode, other: BareNode) -> None:
    node.attach()
    node.detach()
    in_volume(node, "cp --sparse=always /volume/volume.img /other/volume.img", by=other)
    code, said = node.refusal()
    assert (code, "the data key does not open the volume" in said) == (12, True)


def test_an_older_image_is_not_taken_for_it(node: BareNode, other: BareNode) -> None:
    node.attach()
    node.detach()
    in_volume(node, "cp --sparse=always /other/volume.img /volume/older", by=other)
    node.attach()
    node.detach()
    in_volume(node, "cp --sparse=always /volume/older /other/volume.img", by=other)
    code, said = node.refusal()
    assert (code, "it was attached 1 times, not 2" in said) == (65, True)


def test_a_filesystem_that_cannot_be_repaired_is_refused(node: BareNode, other: BareNode) -> None:
    node.attach()
    node.detach()
    in_volume(node, "dd if=/dev/urandom of=/other/volume.img bs=64K count=4 conv=notrunc", by=other)
    code, said = node.refusal()
    assert (code, "the volume's filesystem is damaged" in said) == (70, True)


def test_what_was_synced_survives_an_unclean_stop_of_the_machine(
    node: BareNode, other: BareNode
) -> None:
    """The image of a running node is what a loss of power leaves of it."""
    node.attach()
    node.run(f"cd /data/broker; {_WRITE}; sync {NAME}/{NAME} {NAME} .")
    node.run("cd /data/broker; for n in $(seq 200); do echo $n >$n; done")
    in_volume(node, "cp --sparse=always /other/volume.img /volume/crashed", by=other)
    node.detach()
    in_volume(node, "cp --sparse=always /volume/crashed /other/volume.img", by=other)
    node.attach()
    assert node.run(_SHOW) == CANARY


def test_a_second_node_does_not_get_an_attached_volume(node: BareNode) -> None:
    node.attach()
    second = replace(node)
    code, said = second.refusal()
    second.containers.remove(second.container)
    assert (code, "another node has the volume" in said) == (70, True)


def test_it_is_as_large_as_it_was_ordered_and_grows_but_does_not_shrink(node: BareNode) -> None:
    def size() -> int:
        return int(node.run("df --output=size --block-size=1M /data/broker | tail -n 1"))

    node.attach()
    write(node)
    small = size()
    assert 50 <= small <= 64
    for ordered, expected in ((256 * MIB, range(230, 257)), (64 * MIB, range(230, 257))):
        node.detach()
        node.size = ordered
        node.attach()
        assert size() in expected
    assert node.run(_SHOW) == CANARY


def test_it_grows_when_the_node_before_ended_while_it_did(node: BareNode, other: BareNode) -> None:
    node.attach()
    size = int(node.run("df --block-size=1 --output=size /data/broker | tail -n 1"))
    node.detach()
    # What is left of a node that was killed between `truncate` and `resize2fs`.
    in_volume(node, f"truncate -s {node.size + 16 * MIB} /other/volume.img", by=other)
    node.size += 16 * MIB
    node.attach()
    grown = int(node.run("df --block-size=1 --output=size /data/broker | tail -n 1"))
    assert grown > size + 15 * MIB


def test_when_it_is_full_writes_fail_and_it_attaches_again(node: BareNode) -> None:
    node.attach()
    write(node)
    said = node.run("dd if=/dev/zero of=/data/broker/large bs=1M 2>&1 || true")
    assert "No space left on device" in said
    assert node.run(_SHOW) == CANARY
    node.detach()
    node.attach()
    assert int(node.run("df --output=avail /data/broker | tail -n 1")) < 64, "control"
    assert node.run(_SHOW) == CANARY
    node.run("rm /data/broker/large; echo again >/data/broker/again")


def test_a_node_ends_when_its_volume_can_no_longer_be_written(node: BareNode) -> None:
    node.attach()
    code, output = node.containers.execute(
        node.container, ["perl", "-e", SHUTDOWN, "/data/broker"], user="root"
    )
    assert code == 0, output
    wait_for("the end", lambda: not node.containers.state(node.container).running)
    assert "the volume can no longer be written" in node.log()
    node.detach()
    node.attach()  # the image is as good as the disk that came back


@pytest.mark.nightly("many containers at once")
def test_more_volumes_attach_at_once_than_there_are_loop_devices(
    ground: tuple[Containers, str],
) -> None:
    """The kernel has eight of them, and makes more."""
    nodes = [bare_node(*ground) for _ in range(12)]
    try:
        run_concurrently([node.attach for node in nodes])
        for node in nodes:
            write(node)
        assert {node.run(_SHOW) for node in nodes} == {CANARY}
    finally:
        for node in nodes:
            node.detach()


@pytest.mark.nightly("a node is killed ten times")
def test_what_was_synced_is_there_whenever_its_node_is_killed(node: BareNode) -> None:
    node.start = b"echo attached; while :; do date +%N >>log; sync log; tail -n 1 log; done"
    synced: list[str] = []
    for _ in range(10):
        node.attach()
        wait_for("lines", lambda: len(node.log().splitlines()) > 20)
        node.containers.kill(node.container)
        synced += [line for line in node.log().splitlines() if line.isdigit()]
        node.containers.remove(node.container)
    node.start = b"echo attached; exec sleep 1000"
    node.attach()
    kept = set(node.run("cat /data/broker/log").split())
    assert [line for line in synced if line not in kept] == []
    assert len(synced) > 100, "control"


def test_without_loop_devices_it_says_so(node: BareNode) -> None:
    node.mounts = "fuse"
    code, said = node.refusal()
    assert (code, "/dev/loop-control is missing" in said) == (66, True)
