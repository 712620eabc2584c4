"""The standard input of a node's entry point (``containers/base/enter``)."""

import io
import tarfile
from collections.abc import Mapping

from testbed.engines.base import Engine, NodeSpec


def secrets(
    engine: Engine,
    node: NodeSpec,
    data_key: bytes | None,
    *,
    shared: bool = False,
    attempt: int = 1,
    attached: int = 0,
    kind: str = "files",
    size: int = 0,
) -> bytes:
    """Return a line with a byte count, then a tar of the node's files and its data key.

    ``data_key`` is the volume's plaintext key, None for a control's unencrypted volume. With
    ``shared`` the node waits while another has the volume, as a standby does. ``attempt``,
    ``attached``, ``kind`` and ``size``: see ``storage.volumes.Volume``; only a volume that never
    was attached is formatted.
    """
    environment = {
        "BROKER_USER": engine.user,
        "SHARED": "yes" if shared else "",
        "ATTEMPT": attempt,
        "ATTACHED": attached,
        "KIND": kind,
        "SIZE": size,
    }
    return _pack(environment, engine.files(node), data_key)


def bare(
    start: bytes, data_key: bytes | None, size: int, *, attempt: int = 1, attached: int = 0
) -> bytes:
    """Return the same of a node on a block volume that runs the script ``start`` for a broker."""
    environment = {
        "BROKER_USER": "daemon",
        "ATTEMPT": attempt,
        "ATTACHED": attached,
        "KIND": "block",
        "SIZE": size,
    }
    return _pack(environment, {"start": start}, data_key)


def _pack(
    environment: Mapping[str, object], files: Mapping[str, bytes], data_key: bytes | None
) -> bytes:
    """Return the line and the tar of a node with these variables and files."""
    lines = "".join(f"{name}={value}\n" for name, value in environment.items())
    key = {} if data_key is None else {"volume.key": data_key.hex().encode()}
    archive = _tar({"node.env": lines.encode(), **files, **key})
    return f"{len(archive)}\n".encode() + archive


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o600
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
