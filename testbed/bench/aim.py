"""What the machines of a distributed load have to know, in one file: the workload, the driver, and where the broker is.

The file has the broker's password: it is readable by its owner only, and who copies it to another machine keeps it so.
"""

import base64
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from testbed.bench.driver import Driver
from testbed.bench.encryption import Encryption
from testbed.bench.target import Target
from testbed.bench.workload import Workload
from testbed.clients.base import Address
from testbed.errors import TestbedError


@dataclass(frozen=True)
class Aim:
    """``run`` is what all machines name their destinations after."""

    workload: Workload
    driver: Driver
    target: Target
    run: int

    def write(self, path: Path) -> None:
        """With the payload and the authorities to trust: the file is all that a machine needs. ``path`` must not exist."""
        address = self.target.address
        document = {
            "workload": asdict(self.workload),
            "payload": base64.b64encode(self.workload.content()).decode(),
            "driver": asdict(self.driver),
            "encryption": asdict(self.target.encryption),
            "engine_type": self.target.engine_type,
            "server_name": self.target.server_name,
            "address": {"protocol": address.protocol, "host": address.host, "port": address.port},
            "login": [address.username, address.password],
            "authorities": address.ca_file.read_text() if address.ca_file else "",
            "run": self.run,
        }
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(document, file)


def read(path: Path) -> Aim:
    """Payload and authorities are put beside the file. Raises ``TestbedError`` for what is no such file."""
    try:
        document = json.loads(path.read_text())
        workload = Workload(**document["workload"])
        if workload.payload:
            workload = replace(
                workload,
                payload=str(_beside(path, ".payload", base64.b64decode(document["payload"]))),
            )
        authorities = (
            _beside(path, ".pem", document["authorities"].encode())
            if document["authorities"]
            else None
        )
        username, password = document["login"]
        address = Address(
            **document["address"], username=username, password=password, ca_file=authorities
        )
        target = Target(
            document["engine_type"],
            address,
            Encryption(**document["encryption"]),
            document["server_name"],
        )
        return Aim(workload, Driver(**document["driver"]), target, document["run"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TestbedError(
            f"{path} does not say where the load is to go: {error!r}.",
            hint="`testbed bench scale` writes such a file.",
        ) from error


def _beside(path: Path, suffix: str, content: bytes) -> Path:
    """Written whole or not at all: several workers of a machine may read one aim at a time."""
    beside, part = path.with_suffix(suffix), path.with_suffix(f"{suffix}.{os.getpid()}")
    part.write_bytes(content)
    return part.replace(beside)
