"""Where a testbed's secrets could be seen, and a search for them in every common encoding."""

import base64
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from testbed.testbed import Testbed

Places = dict[str, list[bytes]]
_PROCESSES = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; true"


def encodings(secret: bytes) -> set[bytes]:
    """Return the secret as it is, and as it looks in text; base64 at any offset."""
    text = secret.decode("latin1")
    forms = {
        secret,
        secret.hex().encode(),
        secret.hex().upper().encode(),
        base64.b64encode(secret),
        base64.urlsafe_b64encode(secret),
        quote_from_bytes(secret, safe="").encode(),
        json.dumps(text)[1:-1].encode(),
        repr(secret)[2:-1].encode(),
    }
    for before in (1, 2):  # within something longer: without the characters that its ends share
        encoded = base64.b64encode(bytes(before) + secret)
        forms.add(encoded[4 : len(encoded) // 4 * 4 - 4])
    return forms


def places_with(secret: bytes, places: Places) -> set[str]:
    """Return the places that have the secret, whole or a half: SQLite splits rows among pages."""
    forms = {
        part
        for form in encodings(secret)
        for part in (form[: len(form) // 2], form[len(form) // 2 :])
        if len(part) >= 8
    }
    return {
        place
        for place, contents in places.items()
        if any(form in content for content in contents for form in forms)
    }


def places_of_container(testbed: Testbed, container_id: str) -> Places:
    """Return everything that the engine shows and keeps of a container, by kind."""
    inspected = testbed.containers.inspect(container_id)
    image, name = inspected["Image"], inspected["Name"].lstrip("/")
    api: Any = testbed.containers.client.api  # without type hints
    root = Path(testbed.containers.client.info()["DockerRootDir"])
    upper = inspected["GraphDriver"]["Data"] or {}
    places = {
        "docker inspect": [json.dumps(inspected).encode()],
        "docker logs": [b"".join(testbed.containers.logs(container_id))],
        "image and its history": [
            json.dumps([api.inspect_image(image), api.history(image)]).encode()
        ],
        "processes, from inside": [
            testbed.containers.execute(container_id, ["sh", "-c", _PROCESSES])[1]
        ],
        "the engine's own files": list(_contents(root / "containers" / container_id)),
        "container layer": list(_contents(Path(upper.get("UpperDir", "/nonexistent")))),
        "volumes": [
            content
            for mount in inspected["Mounts"]
            if mount["Type"] == "volume"
            for content in _contents(Path(mount["Source"]))
        ],
    }
    return {f"{name}: {kind}": contents for kind, contents in places.items()}


def places_of_machine() -> Places:
    """Return the environments and command lines of all processes."""
    return {
        f"{name} of processes": [_read(path) for path in Path("/proc").glob(f"[0-9]*/{name}")]
        for name in ("environ", "cmdline")
    }


def places_of_folder(folder: Path) -> Places:
    """Return each file below a folder.

    By another process: closing a file of SQLite's in this one would release the locks of its
    connections (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    return {
        f"{folder.name}/{path.relative_to(folder)}": [
            subprocess.run(["cat", path], check=False, stdout=subprocess.PIPE).stdout
        ]
        for path in folder.rglob("*")
        if path.is_file()
    }


def readable_by_others(folder: Path) -> Mapping[str, str]:
    """Return the modes of what others may read in a folder."""
    return {
        path.name: oct(path.stat().st_mode)
        for path in folder.rglob("*")
        if path.stat().st_mode & 0o077
    }


def lines_of(pem: str) -> Iterator[bytes]:
    """Yield a private key in PEM as it would be seen: a line of it, and all of its bytes."""
    lines = pem.splitlines()
    yield lines[len(lines) // 2].encode()
    yield base64.b64decode("".join(lines[1:-1]))


def _contents(folder: Path) -> Iterable[bytes]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield _read(path)


def _data(path: Path) -> Iterator[bytes]:
    """Yield what is written of a file; the images of volumes are mostly holes."""
    if not path.is_file() or not path.stat().st_size:  # a file of the kernel's
        yield path.read_bytes()
        return
    with path.open("rb") as file:
        end = 0
        with suppress(OSError):  # no data behind the last hole
            while True:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
                end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
                yield os.pread(file.fileno(), end - start, start)


def _read(path: Path) -> bytes:
    try:
        return b"".join(_data(path))
    except OSError:  # it is gone, as a process that has ended
        return b""
