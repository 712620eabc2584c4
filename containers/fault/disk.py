"""Let the disk under a node's volume be full or slow: strace on the system calls of gocryptfs.

Of a block volume, which has no process behind its mount, the broker's own calls are made slow.

What the node has written stays, and what it reads is right. When this process ends, the calls are
the kernel's again.
"""

import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

_WRITES = "pwrite64,pwritev,pwritev2,fallocate,ftruncate,mkdirat,mknodat"
_SPACE = "statfs,fstatfs"
_SLOW = "pwrite64,pread64,fsync,fdatasync,fallocate"


def main(volume: str, *, free: int | None = None, delay: float = 0.0) -> None:
    """Have ``free`` bytes left, or delay each access to the disk by ``delay`` seconds.

    Until SIGTERM. With nothing left, writes fail with ENOSPC. ``volume`` is where the node has it.
    """
    process = find("gocryptfs", "beam.smp", "java")
    traced, rules = [], []
    if free is not None:
        rules.append(f"inject={_SPACE}:poke_exit=@arg2={space(process, volume, free)}")
        traced.append(_SPACE)
    if free == 0:
        rules.append(f"inject={_WRITES}:error=ENOSPC")
        traced.append(_WRITES)
    if delay:
        rules.append(f"inject={_SLOW}:delay_enter={round(delay * 1e6)}us")
        traced.append(_SLOW)
    command = ["strace", "-f", "-p", str(process), "-o", "/dev/null"]
    for rule in (f"trace={','.join(traced)}", *rules):
        command += ["-e", rule]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGTERM, lambda *_: strace.terminate())
    line = strace.stderr.readline()
    if "attached" not in line:
        sys.exit(line.strip())
    print("ready", flush=True)
    for _ in strace.stderr:  # until it ends
        pass
    sys.exit(strace.wait())


def space(process: int, volume: str, free: int) -> str:
    """Return the beginning of the kernel's answer to statfs, in hexadecimal."""
    found = os.statvfs(f"/proc/{process}/root{volume}")
    blocks = free // found.f_frsize
    # struct statfs: type, size of a block, all blocks, free ones, free ones for users.
    return struct.pack("=5q", 0, found.f_bsize, found.f_blocks, blocks, blocks).hex()


def find(*names: str) -> int:
    """Return the id of the process of the first of these names that there is."""
    found = {}
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            found[comm.read_text().strip()] = int(comm.parent.name)
        except OSError:  # it has ended
            continue
    for name in names:
        if name in found:
            return found[name]
    sys.exit(f"there is no process {' or '.join(names)}")
