"""What the machines of a distributed load have to know, and what each one reports back."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from testbed.bench.load.worker import Part
from testbed.bench.spec import Driver, Workload
from testbed.bench.target import Target
from testbed.clients.base import Address
from testbed.errors import TestbedError


@dataclass(frozen=True)
class LoadSpec:
    """One distributed load. All machines name their destinations after ``run``.

    Its file has the broker's password: it is readable by its owner only, and a copy on another
    machine has to stay so.
    """

    workload: Workload
    driver: Driver
    target: Target
    run: int

    def write(self, path: Path) -> None:
        """Write everything that a machine needs, the payload and the authorities included.

        ``path`` must not exist.
        """
        address = self.target.address
        file = _File(
            self.workload,
            self.workload.content(),
            self.driver,
            Target(
                self.target.engine_type,
                Address(
                    address.protocol,
                    address.host,
                    address.port,
                    address.username,
                    address.password,
                ),
                self.target.encryption,
                self.target.server_name,
            ),
            address.ca_file.read_text() if address.ca_file else "",
            self.run,
        )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as output:
            output.write(msgspec.json.encode(file))


@dataclass(frozen=True)
class _File:
    workload: Workload
    payload: bytes
    driver: Driver
    target: Target
    authorities: str
    run: int


def read(path: Path) -> LoadSpec:
    """Read a file, and put its payload and authorities beside it.

    Raises ``TestbedError`` for anything that ``LoadSpec.write`` did not write.
    """
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        workload, target = file.workload, file.target
        if workload.payload:
            workload = replace(workload, payload=str(_put(path, ".payload", file.payload)))
        if file.authorities:
            ca_file = _put(path, ".pem", file.authorities.encode())
            target = replace(target, address=replace(target.address, ca_file=ca_file))
    except (OSError, msgspec.MsgspecError) as error:
        raise TestbedError(
            f"{path} is not the specification of a distributed load: {error}.",
            hint="`testbed bench scale` writes such a file.",
        ) from error
    return LoadSpec(workload, file.driver, target, file.run)


def _put(path: Path, suffix: str, content: bytes) -> Path:
    """Write a file beside ``path`` atomically: a machine's workers may read one spec at a time."""
    part = path.with_suffix(f"{suffix}.{os.getpid()}")
    part.write_bytes(content)
    return part.replace(path.with_suffix(suffix))


@dataclass(frozen=True)
class Report:
    """What all workers of a load measured. ``errors`` are why it is no result."""

    parts: tuple[Part, ...] = ()
    errors: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Write the report."""
        path.write_bytes(msgspec.json.encode(self))

    @classmethod
    def read(cls, path: Path) -> "Report":
        """Read a report. Raises ``OSError`` if there is none."""
        return msgspec.json.decode(path.read_bytes(), type=cls)


def pack(part: Part) -> bytes:
    """Encode a part, without its samples: their times mean nothing on another machine."""
    return msgspec.json.encode(replace(part, samples=()))


def unpack(encoded: bytes) -> Part:
    """Decode what ``pack`` returned."""
    return msgspec.json.decode(encoded, type=Part)
