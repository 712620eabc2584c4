"""Where the project's own data files are, in a checkout and in an installed package."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data(folder: str) -> Path:
    """Return one of the folders that sit beside ``testbed/`` in a checkout.

    ``folder`` is ``containers``, ``certs`` or ``scenarios``. An installed wheel
    carries the same three under ``testbed/_data``.
    """
    installed = _PACKAGE / "_data" / folder
    return installed if installed.is_dir() else _PACKAGE.parent / folder
