"""Codes of virtual MFA devices: TOTP with 6 digits and 30 seconds (RFC 6238)."""

import base64

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP = 30  # seconds


def code(seed: str, at: float) -> str:
    """Return the code of a device with this base32 seed at a time in seconds since 1970."""
    return _totp(seed).generate(int(at)).decode()


def step_of(seed: str, code_given: str, at: float) -> int | None:
    """Return the time step whose code was given: now, the one before, or the one after."""
    now = int(at) // STEP
    return next(
        (step for step in (now, now - 1, now + 1) if code(seed, step * STEP) == code_given), None
    )


def consecutive(seed: str, first: str, second: str, at: float) -> bool:
    """Return whether these are two codes in a row, of the last or the next minutes."""
    now = int(at) // STEP
    return any(
        (code(seed, step * STEP), code(seed, (step + 1) * STEP)) == (first, second)
        for step in range(now - 3, now + 3)
    )


def _totp(seed: str) -> TOTP:
    # SHA1 is what virtual devices use. The seed has 64 characters, 40 bytes.
    return TOTP(base64.b32decode(seed), 6, SHA1(), STEP, enforce_key_length=False)  # noqa: S303 - RFC 6238
