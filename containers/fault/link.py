"""Cut, delay, narrow or thin out what a node exchanges with others, in the node's own network.

Cuts are rules of the packet filter. For the rest its rules hand each packet to this process (an
NFQUEUE, which every kernel with iptables has, unlike netem): it accepts it later, or drops it.
Open connections are affected too, in both directions. When this process ends, packets pass.
"""

import heapq
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

# linux/netfilter/nfnetlink.h and nfnetlink_queue.h
_NETFILTER, _QUEUE = 12, 3
_PACKET, _VERDICT, _CONFIG = (_QUEUE << 8 | message for message in (0, 1, 2))
_CONFIG_COMMAND, _CONFIG_PARAMETERS, _CONFIG_LENGTH = 1, 2, 3
_BIND, _COPY_PACKET = 1, 2
_PACKET_HEADER, _VERDICT_HEADER, _PAYLOAD = 1, 2, 10
_DROP, _ACCEPT = 0, 1
_REQUEST, _ACKNOWLEDGE = 1, 4
_ERROR = 2
_COPIED = 64  # bytes of a packet that are shown to this process: its IP header
_MOST = 16384  # packets that the kernel keeps for this process
_LONGEST = 1.0  # seconds' worth of data before a narrow link, as in a router's buffer


def main(
    chain: str,
    *,
    remove: bool = False,
    peers: tuple[str, ...] = (),
    only_peers: bool = False,
    except_peers: bool = False,
    cut: bool = False,
    delay: float = 0.0,
    rate: float = 0.0,
    loss: float = 0.0,
) -> None:
    """Add the rules under the name ``chain`` and serve them, or ``remove`` them.

    ``delay`` is in seconds for each packet, ``rate`` in bytes a second and 0 for no limit, ``loss``
    a share of the packets; each way.
    """
    if remove:
        remove_rules(chain)
        print("ready", flush=True)
    elif cut:
        add_rules(chain, ["DROP"] * 2, peers, only_peers, except_peers)
        print("ready", flush=True)
    else:
        number = random.randrange(1, 30000) * 2
        links = [Link(number + way, delay, rate, loss) for way in (0, 1)]
        targets = [f"NFQUEUE --queue-num {link.number} --queue-bypass" for link in links]
        add_rules(chain, targets, peers, only_peers, except_peers)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print("ready", flush=True)
        serve(links)


def add_rules(
    chain: str,
    targets: list[str],
    peers: tuple[str, ...],
    only_peers: bool,
    except_peers: bool,
) -> None:
    """Send packets that come in and go out to their target, except those of the node to itself."""
    remove_rules(chain)
    for way, (hook, device, address, target) in enumerate(
        zip(("INPUT", "OUTPUT"), ("-i", "-o"), ("-s", "-d"), targets, strict=True)
    ):
        name = f"{chain}-{way}"
        iptables(f"-N {name}")
        iptables(f"-A {name} {device} lo -j RETURN")
        for peer in peers if except_peers else ():
            iptables(f"-A {name} {address} {peer} -j RETURN")
        for selected in [f"{address} {peer}" for peer in peers] if only_peers else [""]:
            iptables(f"-A {name} {selected} -j {target}")
        iptables(f"-I {hook} -j {name}")


def remove_rules(chain: str) -> None:
    """Remove the rules; harmless when there are none."""
    for way, hook in enumerate(("INPUT", "OUTPUT")):
        for command in (f"-D {hook} -j {chain}-{way}", f"-F {chain}-{way}", f"-X {chain}-{way}"):
            iptables(command, check=False)


def iptables(command: str, check: bool = True) -> None:
    """Run iptables, of the generation that this kernel has."""
    done = subprocess.run(
        [TOOL, "-w", "10", *command.split()], capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        sys.exit(f"iptables {command}: {done.stderr.strip()}")


def choose_tool() -> str:
    """Return the iptables that works here."""
    for tool in ("iptables-nft", "iptables-legacy"):
        if (
            shutil.which(tool)
            and not subprocess.run(
                [tool, "-w", "10", "-S", "INPUT"], capture_output=True, check=False
            ).returncode
        ):
            return tool
    sys.exit("the kernel has no packet filter")


class Link:
    """One direction: the queue of the kernel's, and when its packets are released."""

    def __init__(self, number: int, delay: float, rate: float, loss: float) -> None:
        self.number, self.delay, self.rate, self.loss = number, delay, rate, loss
        self.free = 0.0  # when a narrow link is done with what was sent so far
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**23)
        self.socket.bind((0, 0))
        self._ask(_CONFIG_COMMAND, struct.pack(">BxH", _BIND, socket.AF_INET))
        self._ask(_CONFIG_PARAMETERS, struct.pack(">IB", _COPIED, _COPY_PACKET))
        self._ask(_CONFIG_LENGTH, struct.pack(">I", _MOST))

    def _ask(self, attribute: int, value: bytes) -> None:
        self.socket.send(self._message(_CONFIG, attribute, value, _REQUEST | _ACKNOWLEDGE))
        _, kind, *_, code = struct.unpack_from("=IHHIIi", self.socket.recv(4096))
        if kind == _ERROR and code:
            sys.exit(f"the kernel has no NFQUEUE: {os.strerror(-code)}")

    def _message(self, kind: int, attribute: int, value: bytes, flags: int = _REQUEST) -> bytes:
        body = struct.pack(">BBH", 0, 0, self.number)
        body += struct.pack("=HH", 4 + len(value), attribute) + value + b"\0" * (-len(value) % 4)
        return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body

    def decide(self, packet: int, verdict: int) -> None:
        """Let the packet go, or drop it."""
        value = struct.pack(">II", verdict, packet)
        self.socket.send(self._message(_VERDICT, _VERDICT_HEADER, value))

    def packets(self) -> Iterator[tuple[int, int]]:
        """Yield the number and the bytes of each packet that has arrived."""
        try:
            data = self.socket.recv(2**18, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:  # more came than fits: the kernel has dropped some
            return
        while len(data) >= 20:
            size, kind = struct.unpack_from("=IH", data)
            if kind == _PACKET:
                yield self._read(data[20:size])
            data = data[(size + 3) & ~3 :]

    def _read(self, attributes: bytes) -> tuple[int, int]:
        number = length = 0
        while len(attributes) >= 4:
            size, kind = struct.unpack_from("=HH", attributes)
            if kind == _PACKET_HEADER:
                (number,) = struct.unpack_from(">I", attributes, 4)
            elif kind == _PAYLOAD:
                (length,) = struct.unpack_from(">H", attributes, 4 + 2)
            attributes = attributes[(size + 3) & ~3 :]
        return number, length

    def release_at(self, length: int, now: float) -> float | None:
        """Return when a packet arrives at the other end; None if it is lost."""
        if random.random() < self.loss:
            return None
        if self.rate:
            self.free = max(self.free, now)
            if self.free - now > _LONGEST:
                return None
            self.free += length / self.rate
        return max(now, self.free) + self.delay


def serve(links: list["Link"]) -> None:
    """Decide on packets until SIGTERM."""
    sockets = {link.socket: link for link in links}
    waiting: list[tuple[float, int, int]] = []  # time, packet, link
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select(list(sockets), [], [], timeout)
        now = time.monotonic()
        for ready in readable:
            link = sockets[ready]
            for number, length in link.packets():
                at = link.release_at(length, now)
                if at is None:
                    link.decide(number, _DROP)
                else:
                    heapq.heappush(waiting, (at, number, links.index(link)))
        while waiting and waiting[0][0] <= now:
            _, number, index = heapq.heappop(waiting)
            links[index].decide(number, _ACCEPT)


TOOL = choose_tool()
