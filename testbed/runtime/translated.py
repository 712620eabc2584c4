"""Docker's errors in the testbed's words: every call on the engine ends here when it fails."""

from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import DockerException, NotFound

from testbed.errors import ContainerFailed, NotEnoughDisk, PortTaken


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise ``PortTaken``, ``NotEnoughDisk`` or ``ContainerFailed``; ``what`` says what could not be done."""
    try:
        yield
    except NotFound as error:
        raise ContainerFailed(
            f"{what}: it is gone.", hint="`testbed status` shows what is left."
        ) from error
    except (DockerException, OSError) as error:  # an engine that is gone is an OSError
        reason = str(getattr(error, "explanation", None) or error)
        if "port is already allocated" in reason or "address already in use" in reason:
            raise PortTaken(
                f"{what}: {reason}",
                hint="Stop what uses the port, or leave fixed ports out: free ones are the default.",
            ) from error
        if "no space left" in reason.lower():
            raise NotEnoughDisk(
                f"{what}: {reason}", hint="`docker system df` shows what takes the space."
            ) from error
        raise ContainerFailed(
            f"{what}: {reason}", hint="`docker info` shows whether the engine is well."
        ) from error


@contextmanager
def gone_is_fine() -> Iterator[None]:
    """Around ``translated``: what is not there need not be removed."""
    try:
        yield
    except ContainerFailed as error:
        if not isinstance(error.__cause__, NotFound):
            raise
