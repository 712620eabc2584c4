"""The proof by raw bytes: whether a text is on a volume as the disk has it, and in its mount."""

from collections.abc import Iterable
from dataclasses import dataclass

from testbed.runtime.containers import Containers

MOUNT = "/data/broker"  # the broker's view (containers/base/enter)
VOLUME = "/volume"  # the disk's
# tar's: everything was read, or everything while the broker changed some of it.
_WHOLE = (0, 1)


@dataclass(frozen=True)
class RawSearch:
    """``hits`` occurrences of the needle in ``scanned`` bytes of raw storage."""

    hits: int
    scanned: int


def on_disk(containers: Containers, container_id: str, needle: bytes) -> RawSearch:
    """Count ``needle`` in the raw bytes of a node's volume, names of files included.

    Holes are left out. What the kernel has not written yet is written first. Raises
    ``ContainerFailed``, also when not all of the volume was read: less proves nothing.
    """
    containers.execute(container_id, ["sync", "--file-system", MOUNT])  # gocryptfs refuses root
    tar = ["tar", "--create", "--sparse", "--directory", "/", VOLUME.removeprefix("/")]
    return search(containers.output(container_id, tar, _WHOLE), needle)


def in_mount(
    containers: Containers, container_id: str, account: str, needle: bytes
) -> tuple[str, ...]:
    """Return the files in which the broker, running as ``account``, sees ``needle``.

    ``needle`` is a text without a line break. Raises ``ContainerFailed``.
    """
    command = ["sh", "-c", 'cd "$1" && grep -rlaF -e "$2" .', "-", MOUNT, needle.decode()]
    _, output = containers.execute(container_id, command, user=account)
    lines = output.decode(errors="replace").splitlines()
    return tuple(sorted(line.removeprefix("./") for line in lines if line.startswith("./")))


def search(chunks: Iterable[bytes], needle: bytes) -> RawSearch:
    """Count ``needle`` in a stream, across the borders of its chunks."""
    hits, scanned, tail = 0, 0, b""
    for chunk in chunks:
        scanned += len(chunk)
        window = tail + chunk
        hits += window.count(needle)
        # The tail is shorter than the needle, so nothing is counted twice.
        tail = window[-(len(needle) - 1) :] if len(needle) > 1 else b""
    return RawSearch(hits, scanned)
