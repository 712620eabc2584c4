"""Every error the testbed raises, in one tree.

::

    TestbedError                      what happened, why, what to do next
    ├── EngineUnavailable             no container engine answers and none can be started
    ├── ImageBuildFailed              an image could not be built; the next run tries again
    ├── ContainerFailed               a container of ours stopped or never became ready
    ├── NotEnoughDisk                 less free space than a broker needs
    ├── PortTaken                     a fixed port is in use by something else
    ├── StateBroken                   the state folder cannot be read or is not ours
    ├── Interrupted                   given up because the program is ending
    ├── MissingExtra                  an optional library is not installed
    ├── VolumeRefused                 a volume would not attach: key missing, wrong, or mount failed
    ├── ClientError                   a messaging client could not carry out a request
    │   ├── ConnectionRefused         no connection: port closed, TLS or certificate refused
    │   ├── NotAuthorized             the broker refused the login
    │   └── NotConfirmed              the broker did not confirm in time: the outcome is unknown
    └── ApiError                      an AWS API's refusal: AWS's code and sentence
        ├── KmsError                  from AWS KMS (DisabledException, NotFoundException, ...)
        └── MqError                   from Amazon MQ
            ├── BadRequestException   400
            ├── ForbiddenException    403
            ├── NotFoundException     404
            └── ConflictException     409

Foreign exceptions are translated where they enter: Docker's in ``runtime``, botocore's in ``kms``,
the client libraries' in ``clients``.
"""

import errno


class TestbedError(Exception):
    """Base of all. ``hint`` says what the reader can do next."""

    __test__ = False  # the name starts with "Test": pytest must not collect it

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # where nobody catches it, as in a test


class EngineUnavailable(TestbedError):
    """No container engine answers and none can be started here."""


class ImageBuildFailed(TestbedError):
    """An image could not be built."""


class ContainerFailed(TestbedError):
    """A container of ours stopped, or never became ready."""


class NotEnoughDisk(TestbedError):
    """Less free space than a broker needs."""


class PortTaken(TestbedError):
    """A requested port is in use by another process."""


class StateBroken(TestbedError):
    """The state folder cannot be read or was not made by the testbed."""

    @classmethod
    def because_of(cls, error: Exception, message: str, hint: str) -> "StateBroken":
        """Return the error for one of the system or of SQLite, whose reason follows ``message``.

        ``hint`` is for any error but a full disk.
        """
        reason = getattr(error, "strerror", "") or str(error)
        is_full = getattr(error, "errno", 0) in _FULL or "disk is full" in reason
        return cls(f"{message}: {reason}.", hint=_FREE_SPACE if is_full else hint)


_FULL = (errno.ENOSPC, errno.EDQUOT)
_FREE_SPACE = "Free some space on that disk, and repeat the command."


class Interrupted(TestbedError):
    """Given up because the program is ending."""


class MissingExtra(TestbedError):
    """An optional library is not installed; the hint names the extra."""


class VolumeRefused(TestbedError):
    """A volume would not attach: its key is missing or wrong, or the mount failed."""


class ClientError(TestbedError):
    """A messaging client could not carry out a request."""


class ConnectionRefused(ClientError):
    """No connection: closed port, TLS refused, or certificate not accepted."""


class NotAuthorized(ClientError):
    """The broker refused the login."""


class NotConfirmed(ClientError):
    """The broker did not confirm in time: whether it has the message is unknown."""


class ApiError(TestbedError):
    """An AWS API's refusal: ``code`` is AWS's error code, ``message`` its sentence."""

    code = "InternalServerErrorException"
    status = 500

    def __init__(self, message: str, *, code: str = "", status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code or type(self).code
        self.status = status or type(self).status

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


class KmsError(ApiError):
    """A refusal of AWS KMS; ``code`` is one of KMS's own, e.g. ``DisabledException``."""

    status = 400


class MqError(ApiError):
    """A refusal of Amazon MQ; ``error_attribute`` names the offending member."""

    def __init__(
        self,
        message: str,
        *,
        error_attribute: str = "",
        code: str = "",
        status: int = 0,
        hint: str = "",
    ) -> None:
        super().__init__(message, code=code, status=status, hint=hint)
        self.error_attribute = error_attribute


class BadRequestException(MqError):
    """The request is invalid, or does not fit the broker's state."""

    code, status = "BadRequestException", 400


class ForbiddenException(MqError):
    """The caller may not do this, or may not use the key."""

    code, status = "ForbiddenException", 403


class NotFoundException(MqError):
    """There is no such broker, user, configuration or tag."""

    code, status = "NotFoundException", 404


class ConflictException(MqError):
    """The name is already taken."""

    code, status = "ConflictException", 409


def is_of_interruption(error: BaseException | None) -> bool:
    """Return whether the error arose while Ctrl-C was handled, as in a clean-up that failed."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
