"""Copy, damage and empty the volume of a node that is stopped: its ciphertext, as the disk has it.

A copy lies beside others in the volume at ``_COPIES``; it is there once it is complete.
"""

import shutil
import subprocess
import sys
from pathlib import Path

_VOLUME, _COPIES = Path("/volume"), Path("/copies")
_HEADERS = ("gocryptfs.conf", "gocryptfs.diriv")
_IMAGE = "volume.img"  # of a block volume
_BEGINNING = range(1024, 256 * 1024, 16)  # from the superblock on


def main(steps: list[list[str]]) -> None:
    """Do the ``steps`` in turn, each the name of a function below and its arguments."""
    for name, *arguments in steps:
        {
            "save": save,
            "restore": restore,
            "empty": empty,
            "damage": damage,
            "truncate": truncate,
        }[name](*arguments)
    print("ready", flush=True)


def save(name: str) -> None:
    """Copy the volume as ``name``, unless there is such a copy."""
    if not (_COPIES / name).exists():
        started = _COPIES / f"{name}.new"
        replace(started, _VOLUME)
        started.rename(_COPIES / name)


def restore(name: str) -> None:
    """Put the copy back, if there is one."""
    if (_COPIES / name).exists():
        replace(_VOLUME, _COPIES / name)


def empty(folder: Path = _VOLUME) -> None:
    """Remove everything."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def damage() -> None:
    """Change one byte in the middle of each file; of an image, many where its filesystem begins."""
    for path in files():
        size = path.stat().st_size
        places = _BEGINNING if path.name == _IMAGE else [size // 2]
        with path.open("r+b") as file:
            for place in places:
                file.seek(place)
                (byte,) = file.read(1)
                file.seek(place)
                file.write(bytes([byte ^ 0xFF]))


def truncate() -> None:
    """Cut each file to half its length."""
    for path in files():
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)


def files() -> list[Path]:
    """Return the files with data, without the volume's own headers."""
    return [
        path
        for path in sorted(_VOLUME.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and path.name not in _HEADERS
        and path.stat().st_size
    ]


def replace(target: Path, source: Path) -> None:
    """Make ``target`` the same as ``source``, owners and modes included."""
    target.mkdir(exist_ok=True)
    empty(target)
    done = subprocess.run(
        ["cp", "-a", f"{source}/.", f"{target}/"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"the volume could not be copied: {done.stderr.strip()}")
