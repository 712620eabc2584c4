"""What a node's entry point (``containers/base/enter``) reads from standard input."""

import io
import tarfile

from testbed.engines.base import Engine, NodeSpec


def secrets(
    engine: Engine, node: NodeSpec, data_key: bytes | None, *, shared: bool = False
) -> bytes:
    """A byte count on a line, then a tar of all that is the node's own, the volume's plaintext data key included.

    ``data_key`` is None on a control's unencrypted volume. With ``shared`` the node waits until no other one has the
    volume: the standby's place.
    """
    environment = f"BROKER_USER={engine.user}\nSHARED={'yes' if shared else ''}\n"
    files = {"node.env": environment.encode(), **engine.files(node)}
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
