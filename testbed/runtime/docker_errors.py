"""Docker's errors as the testbed's: every call on the engine is made under ``translate``."""

from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import DockerException, ImageNotFound, NotFound

from testbed.errors import ContainerFailed, NotEnoughDisk, PortTaken


@contextmanager
def translate(failure: str) -> Iterator[None]:
    """Raise ``PortTaken``, ``NotEnoughDisk`` or ``ContainerFailed`` for an error of the engine.

    ``failure`` begins the message: what could not be done.
    """
    try:
        yield
    except ImageNotFound as error:
        raise ContainerFailed(
            f"{failure}: no such image.", hint="`testbed images list` shows those that are built."
        ) from error
    except NotFound as error:
        raise ContainerFailed(
            f"{failure}: it is gone.", hint="`testbed status` shows what is left."
        ) from error
    except (DockerException, OSError) as error:  # an engine that is gone is an OSError
        reason = str(getattr(error, "explanation", None) or error)
        if "port is already allocated" in reason or "address already in use" in reason:
            raise PortTaken(
                f"{failure}: {reason}",
                hint="Stop what uses the port, or leave fixed ports out to get free ones.",
            ) from error
        if "no space left" in reason.lower():
            raise NotEnoughDisk(
                f"{failure}: {reason}", hint="`docker system df` shows what takes the space."
            ) from error
        raise ContainerFailed(
            f"{failure}: {reason}", hint="`docker info` shows whether the engine is well."
        ) from error


@contextmanager
def ignore_missing() -> Iterator[None]:
    """Around ``translate``: what does not exist need not be stopped or removed."""
    try:
        yield
    except ContainerFailed as error:
        if not isinstance(error.__cause__, NotFound):
            raise
