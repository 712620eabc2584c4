"""Optional libraries, and the extra of ``pip install`` that brings each."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from testbed.errors import MissingExtra

# Import name: extra of pyproject.toml.
EXTRAS = {
    "OpenSSL": "clients",
    "aws_encryption_sdk": "clients",
    "hdrh": "bench",
    "paho": "clients",
    "proton": "clients",
    "stomp": "clients",
    "locust": "scale",
}


def require(extra: str) -> None:
    """Raise ``MissingExtra`` unless the libraries of ``extra`` are installed."""
    for library, owner in EXTRAS.items():
        if owner == extra and find_spec(library) is None:
            raise _missing(library)


@contextmanager
def explained() -> Iterator[None]:
    """Turn the import error of an optional library into ``MissingExtra``."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in EXTRAS:
            raise
        raise _missing(library) from error


def _missing(library: str) -> MissingExtra:
    return MissingExtra(
        f"The optional library {library} is not installed.",
        hint=f"pip install 'amazonmq-testbed[{EXTRAS[library]}]'",
    )
