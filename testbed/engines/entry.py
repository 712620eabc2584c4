"""The standard input of a node's entry point (``containers/base/enter``)."""

import io
import tarfile

from testbed.engines.base import Engine, NodeSpec


def secrets(
    engine: Engine,
    node: NodeSpec,
    data_key: bytes | None,
    *,
    shared: bool = False,
    attempt: int = 1,
    attached: int = 0,
) -> bytes:
    """Return a line with a byte count, then a tar of the node's files and its data key.

    ``data_key`` is the volume's plaintext key, None for a control's unencrypted volume. With
    ``shared`` the node waits while another has the volume, as a standby does. ``attempt`` and
    ``attached``: see ``storage.volumes.Volume``; only a volume that never was attached is
    formatted.
    """
    environment = {
        "BROKER_USER": engine.user,
        "SHARED": "yes" if shared else "",
        "ATTEMPT": attempt,
        "ATTACHED": attached,
    }
    lines = "".join(f"{name}={value}\n" for name, value in environment.items())
    files = {"node.env": lines.encode(), **engine.files(node)}
    if data_key is not None:
        files["volume.key"] = data_key.hex().encode()
    archive = _tar(files)
    return f"{len(archive)}\n".encode() + archive


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o600
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
