"""A customer's RabbitMQ configuration: documented keys in documented ranges, and nothing else.

Where the service's answer to a wrong key is not documented, it is a BadRequestException here.
Values are numbers, words of a list and ARNs, so none can add a line to the broker's configuration;
``settings`` translates them for RabbitMQ.

ARNs: the service reads a certificate authority from S3 or ACM PCA. Here every ARN stands for the
testbed's own authority, and the broker accepts its ``client`` certificates.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from testbed.documented.instance_types import DEFAULT_INSTANCE_TYPE
from testbed.documented.rabbitmq_keys import (
    BY_ARN,
    FIXED,
    KEYS,
    LIMIT_KEYS,
    LIMIT_SENTENCE,
    MAXIMA,
    NUMBERED,
    OUTSIDE,
    OUTSIDE_BACKENDS,
    ROLE_KEY,
    SECTION_MODES,
    Key,
)
from testbed.engines.base import Sanitized
from testbed.errors import BadRequestException

_LINE = re.compile(r"([A-Za-z0-9_.-]+)\s*=\s*(.*)")
_SECTION = re.compile(r"\{\{([^{}]*)\}\}")
_ARN = re.compile(r"arn:aws[a-z-]*:([a-z0-9-]+):[a-z0-9-]*:\d*:[A-Za-z0-9._/:+=@-]+")
_BACKEND = re.compile(r"\Arabbit_auth_backend_")
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True)
class _Entry:
    """One line; ``section`` is empty, or e.g. ``m7g.large.3``."""

    key: str
    value: str
    section: str = ""


def sanitize(data: str, version: str) -> Sanitized:
    """Return the configuration unchanged, if it is valid for ``version`` (major.minor).

    Raises ``BadRequestException`` for a malformed line; for a key that is undocumented, fixed by
    Amazon MQ or meant for an external server; for a value out of range and a misplaced section. No
    message repeats a value.
    """
    chosen = dict(_checked(data, version))
    if any(key.startswith("aws.arns.") for key in chosen) and ROLE_KEY not in chosen:
        raise _refusal(
            f"If any setting requires the use of an AWS ARN, {ROLE_KEY} must be provided."
        )
    for key, by_arn in BY_ARN.items():
        verify = f"{key.removesuffix('cacertfile')}verify"
        if chosen.get(verify) == "verify_peer" and by_arn not in chosen:
            raise _refusal(
                f"{verify} = verify_peer needs {by_arn}: nobody's certificate would be accepted."
            )
    return Sanitized(data)


def settings(
    data: str,
    version: str,
    *,
    deployment_mode: str = "SINGLE_INSTANCE",
    instance_type: str = DEFAULT_INSTANCE_TYPE["RABBITMQ"],
    revision: int = 1,
) -> dict[str, str]:
    """Return the customer's keys and values for a broker of this mode and instance type.

    The last line for a key counts. Raises as ``sanitize`` does, and for a limit above the maximum
    of such a broker, with the documented sentence.
    """
    sanitize(data, version)
    section = f"{instance_type.removeprefix('mq.')}.{SECTION_MODES[deployment_mode]}"
    chosen = {entry.key: entry.value for entry in _entries(data) if entry.section in ("", section)}
    maxima = MAXIMA[deployment_mode].get(instance_type, {})
    for key in LIMIT_KEYS:
        if key in chosen and key in maxima and int(chosen[key]) > maxima[key]:
            raise _refusal(
                LIMIT_SENTENCE.format(
                    revision=revision, key=key, value=chosen[key], maximum=maxima[key]
                )
            )
    return chosen


def _checked(data: str, version: str) -> Iterator[tuple[str, str]]:
    major = int(version.partition(".")[0])
    for entry in _entries(data):
        if entry.section and major < 4:
            raise _refusal("Sections in a configuration are for RabbitMQ 4.")
        if entry.section and entry.key not in LIMIT_KEYS:
            raise _refusal(f"{entry.key} cannot be in a section: only {', '.join(LIMIT_KEYS)} can.")
        key = _key(entry, version, major)
        if not _fits(key, entry.value):
            raise _refusal(f"{entry.key} takes {_expected(key)}.")
        yield entry.key, entry.value


def _key(entry: _Entry, version: str, major: int) -> Key:
    """Return the documented key. Raises ``BadRequestException`` for any other."""
    name = entry.key
    backend = name.startswith("auth_backends.") and _BACKEND.sub("", entry.value)
    if name.startswith(OUTSIDE) or backend in OUTSIDE_BACKENDS:
        raise _refusal(
            f"{name} is for a server outside of the broker, which the testbed does not have; "
            "Amazon MQ takes it."
        )
    if name in BY_ARN:
        raise _refusal(f"Use {BY_ARN[name]} instead of {name}.")
    if any(_within(name, fixed) for fixed in FIXED):
        raise _refusal(f"{name} cannot be configured: Amazon MQ sets it.")
    family, _, number = name.rpartition(".")
    key = NUMBERED.get(family) if _NUMBER.fullmatch(number) else KEYS.get(name)
    if key is None:
        raise _refusal(f"{name} is not a configuration option of Amazon MQ for RabbitMQ.")
    if major < key.since:
        raise _refusal(f"{name} is for RabbitMQ {key.since} and later, and this is {version}.")
    return key


def _entries(data: str) -> Iterator[_Entry]:
    section = ""
    for number, written in enumerate(data.splitlines(), 1):
        line = written.partition("#")[0].strip()
        if not line:
            continue
        if tag := _SECTION.fullmatch(line):
            section = _section(tag[1], section, number)
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise _refusal(f"Line {number} of the configuration is not key = value.")
        yield _Entry(match[1], match[2], section)
    if section:
        raise _refusal(f"The section {{{{{section}}}}} of the configuration does not end.")


def _section(tag: str, current: str, number: int) -> str:
    """Return the section that ``tag`` begins; empty if it ends ``current``."""
    if current and tag != current:
        raise _refusal(
            f"Line {number} of the configuration begins a section in the section {current}."
        )
    instance_type, _, mode = tag.rpartition(".")
    if f"mq.{instance_type}" not in MAXIMA["SINGLE_INSTANCE"] or mode not in SECTION_MODES.values():
        raise _refusal(
            f"Line {number} of the configuration does not name an instance type "
            f"and deployment mode, such as m7g.large.3."
        )
    return "" if current else tag


def _fits(key: Key, value: str) -> bool:
    if key.kind == "integer":
        return (
            bool(_NUMBER.fullmatch(value))
            and key.minimum <= int(value)
            and (key.maximum is None or int(value) <= key.maximum)
        )
    if key.kind == "boolean":
        return value in ("true", "false")
    if key.kind == "arn":
        arn = _ARN.fullmatch(value)
        return bool(arn) and arn[1] in key.choices  # type: ignore[index]
    return value in key.choices


def _expected(key: Key) -> str:
    if key.kind == "integer":
        return f"a whole number from {key.minimum}" + (
            f" to {key.maximum}" if key.maximum is not None else ""
        )
    if key.kind == "boolean":
        return "true or false"
    return (
        f"the ARN of a resource of {' or '.join(key.choices)}"
        if key.kind == "arn"
        else " or ".join(key.choices)
    )


def _within(name: str, family: str) -> bool:
    return name == family or name.startswith(f"{family}.")


def _refusal(message: str) -> BadRequestException:
    return BadRequestException(message, error_attribute="data")
