"""A request and an answer, apart from their connection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """A request: ``path`` is percent-encoded, without the query; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    source_ip: str = "127.0.0.1"

    def header(self, name: str) -> str:
        """Return a header by its name in lower case, empty if it is absent."""
        return self.headers.get(name, "")


@dataclass(frozen=True)
class Response:
    """An answer: ``headers`` lack the length, the date and the request's id."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
