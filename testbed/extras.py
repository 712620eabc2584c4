"""Optional libraries, and the extra of ``pip install`` that brings each."""

from collections.abc import Iterator
from contextlib import contextmanager

from testbed.errors import MissingExtra

# Import name: extra of pyproject.toml.
EXTRAS = {
    "OpenSSL": "clients",
    "aws_encryption_sdk": "clients",
    "paho": "clients",
    "proton": "clients",
    "stomp": "clients",
    "locust": "scale",
}


@contextmanager
def explained() -> Iterator[None]:
    """Raise ``MissingExtra``, with the command to run, if an optional library is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in EXTRAS:
            raise
        raise MissingExtra(
            f"The optional library {library} is not installed.",
            hint=f"pip install 'amazonmq-testbed[{EXTRAS[library]}]'",
        ) from error
