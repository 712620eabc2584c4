"""The lines of a node's log that say why it ended. Pure."""

import re

KEPT = 32 * 1024  # characters of a log that are kept of a node that failed
_SHOWN = 300  # characters of a quoted line

# The entry point's, except that a standby waits; then gocryptfs's, of a volume that is damaged.
_ENTRY = re.compile(r"testbed-enter: (?!standby)")
_MOUNT = re.compile(
    r"corrupt(ed)? (block|header)|message authentication failed|gocryptfs|"
    r"^(doRead|doWrite|ReadDir\w*|OpenDir\w*|Readlink|GetXAttr\w*|ReadFileAES\w*|\w*DirIV\w*)\b.*:"
)
_FIRST_ERROR = (
    re.compile(r"\[(error|critical)\] <[^>]*> .*\w"),  # RabbitMQ; its frames have no word
    re.compile(r"\bERROR\b.*\w|Caused by: |^(java|org)\.[\w.]+(Exception|Error)\b"),  # ActiveMQ
    re.compile(r"\b(error|failed|cannot|exception)\b", re.IGNORECASE),
)
_PREFIX = r"((\S+ \S+ )?\[\w+\] <[^>]*>)?\s*"  # of RabbitMQ: the time, a level, a process
# Of an Erlang process that crashed: its description, and the ends of terms.
_DEBRIS = re.compile(
    _PREFIX + r"("
    r"(heap_size|stack_size|reductions|messages|links|dictionary|trap_exit|status|neighbours|"
    r"ancestors|message_queue_len|initial call|pid|registered_name|crasher|supervisor|nodename|"
    r"application|exit_reason|type|offender|started|mfargs|restart_type|significant|shutdown|"
    r"child_type|errorContext|reason): ?.*|at .*|\W*)$"
)


# What RabbitMQ prints above the reason.
_HEADING = re.compile(_PREFIX + r"(BOOT FAILED|(Exception|Error) during startup:)")


def telling(log: str) -> str:
    """Return the line of ``log`` that says why its node ended, or else the last two.

    The entry point knows best, then gocryptfs, then the broker, whose first error counts.
    """
    lines = [line.strip() for line in uncoloured(log).splitlines()]
    lines = [line for line in lines if line]
    entry = [line for line in lines if _ENTRY.match(line)]
    mount = [line for line in lines if _MOUNT.search(line) and not _ENTRY.match(line)]
    if entry or mount:
        return " | ".join(_short(line) for line in dict.fromkeys((*mount[:1], *entry[-1:])))
    said = [line for line in lines if not _DEBRIS.fullmatch(line)]
    reasons = [line for line in said if not _HEADING.fullmatch(line)]
    for candidates in (reasons, said):
        for pattern in _FIRST_ERROR:
            for line in candidates:
                if pattern.search(line):
                    return _short(line)
    return " | ".join(_short(line) for line in said[-2:])


def without(text: str, secrets: tuple[str, ...]) -> str:
    """Return ``text`` with the ``secrets`` blotted out; one may be a part of another."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def uncoloured(text: str) -> str:
    """Return ``text`` without the codes that colour it on a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _short(line: str) -> str:
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
