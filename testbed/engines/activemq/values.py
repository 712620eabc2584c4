"""The values that attributes of a customer's ActiveMQ configuration may have.

A value is static, of the attribute's type, and one that the broker can use. For some strings of the
published schema the broker has a narrower type, and some could make it listen; those are listed
here. An attribute that can only refer to another part of the configuration has no valid value,
since references are not static (GUIDE22, "amazon-mq-broker-configuration-parameters").
"""

import re
from collections.abc import Callable

from testbed.documented.activemq_elements import ATTRIBUTES, Value

# The sizes of the Java types behind the schema's.
_BITS = {"short": 15, "integer": 31, "long": 63}
_BOOLEAN = re.compile(r"true|false|0|1")
_NUMBER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_DOUBLE = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_SIZE = re.compile(r"(\d{1,18}) ?(?:b|([kmg])b?)?", re.ASCII | re.IGNORECASE)

# A connector's uri: one broker, or several in ActiveMQ's composite forms. Only TLS and only other
# brokers: a vm: address would start a second broker here with any listener, and options could turn
# off the verification of the host name.
_USER_INFO = r"[A-Za-z0-9._~!*+;=%-]+(?::[A-Za-z0-9._~!*+;=%-]*)?@"  # advised against, and accepted
_BROKER = rf"ssl://(?:{_USER_INFO})?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{{1,5}}"
_HARMLESS = (
    "keepAlive|soTimeout|connectionTimeout|tcpNoDelay|timeout|randomize|backup|backupPoolSize|"
    "priorityBackup|trackMessages|maxReconnectAttempts|startupMaxReconnectAttempts|"
    "initialReconnectDelay|maxReconnectDelay|reconnectDelay|useExponentialBackOff|"
    "backOffMultiplier|reconnectDelayExponent|minConnectTime|"
    "wireFormat\\.(?:maxInactivityDuration|maxInactivityDurationInitalDelay|maxFrameSize|"
    "tightEncodingEnabled|cacheEnabled|cacheSize|tcpNoDelayEnabled|sizePrefixDisabled|"
    "stackTraceEnabled)"
)
_OPTION = rf"(?:{_HARMLESS})=[A-Za-z0-9.]+"
_ADDRESS = rf"{_BROKER}(?:\?{_OPTION}(?:&{_OPTION})*)?"
_SOME = (
    rf"(?:\({_ADDRESS}(?:,{_ADDRESS})*\)(?:\?{_OPTION}(?:&{_OPTION})*)?|{_ADDRESS}(?:,{_ADDRESS})*)"
)
_NETWORK_URI = re.compile(
    rf"(?:static|masterslave):(?://)?(?:{_SOME}|\(?failover:(?://)?{_SOME}\)?)"
)


def clean(element: str, attribute: str, text: str) -> str | None:
    """Return the value as the broker gets it; None if the attribute may not have it."""
    if "${" in text or "#{" in text or text.lstrip().startswith("#"):
        return None  # Spring would substitute it: an expression, a placeholder or a reference
    allowed = ATTRIBUTES[element][attribute]
    read = _READ_AS.get((element, attribute)) or _READ_AS.get(("", attribute))
    if allowed.kind != "string" or allowed.choices or read:
        text = " ".join(text.split())
    return text if _fits(allowed, text) and (read is None or read(text)) else None


def _fits(allowed: Value, text: str) -> bool:
    if allowed.choices:
        return text in allowed.choices
    if allowed.kind == "boolean":
        return bool(_BOOLEAN.fullmatch(text))
    if allowed.kind == "double":
        return bool(_DOUBLE.fullmatch(text))
    if allowed.kind in _BITS:
        end = 2 ** _BITS[allowed.kind]
        least = -end if allowed.minimum is None else allowed.minimum
        most = end - 1 if allowed.maximum is None else allowed.maximum
        return bool(_NUMBER.fullmatch(text)) and least <= int(text) <= most
    return True


def _is_flag(text: str) -> bool:
    """``org.apache.activemq.util.BooleanEditor``."""
    return text.lower() in ("true", "false")


def _is_size(bits: int) -> Callable[[str], bool]:
    """``org.apache.activemq.util.MemoryPropertyEditor`` and ``MemoryIntPropertyEditor``."""

    def check(text: str) -> bool:
        size = _SIZE.fullmatch(text)
        if size is None:
            return False
        power = " kmg".index((size[2] or " ").lower())
        return int(size[1]) << 10 * power < 1 << bits

    return check


def _between(minimum: int, maximum: int) -> Callable[[str], bool]:
    return lambda text: minimum <= int(text) <= maximum


def _is_name(text: str) -> bool:
    """Say whether a destination has a name, as it must."""
    return bool(text)


def _is_network_uri(text: str) -> bool:
    return bool(_NETWORK_URI.fullmatch(text))


def _never(_: str) -> bool:
    return False


_READ_AS: dict[tuple[str, str], Callable[[str], bool]] = {
    ("broker", "advisorySupport"): _is_flag,
    ("broker", "deleteAllMessagesOnStartup"): _is_flag,
    ("broker", "persistent"): _is_flag,
    ("broker", "schedulerSupport"): _is_flag,
    ("broker", "taskRunnerPriority"): _between(1, 10),
    ("broker", "persistenceThreadPriority"): _between(1, 10),
    # Times in ms, and sizes, that a broker starts with; others were tried.
    ("abortSlowAckConsumerStrategy", "checkPeriod"): _between(1, 2**31),
    ("fixedCountSubscriptionRecoveryPolicy", "maximumSize"): _between(1, 2**20),
    ("fixedSizedSubscriptionRecoveryPolicy", "maximumSize"): _between(0, 2**31),
    ("policyEntry", "expireMessagesPeriod"): _between(-(2**31), 2**53),
    ("redeliveryPolicy", "initialRedeliveryDelay"): _between(1000, 2**53),
    ("redeliveryPolicy", "redeliveryDelay"): _between(1000, 2**53),
    ("policyEntry", "memoryLimit"): _is_size(63),
    ("networkConnector", "prefetchSize"): _is_size(31),
    ("networkConnector", "uri"): _is_network_uri,
    ("compositeQueue", "name"): _is_name,
    ("compositeTopic", "name"): _is_name,
    ("virtualTopic", "name"): _is_name,
    ("", "physicalName"): _is_name,
    ("", "queue"): _is_name,
    ("", "topic"): _is_name,
    # References, or addresses of this broker itself, which it knows.
    ("broker", "systemUsage"): _never,
    ("discarding", "deadLetterQueue"): _never,
    ("networkConnector", "bridgeFactory"): _never,
    ("networkConnector", "brokerURL"): _never,
    ("networkConnector", "connectionFilter"): _never,
    ("networkConnector", "localUri"): _never,
    ("networkConnector", "objectName"): _never,
    ("queryBasedSubscriptionRecoveryPolicy", "query"): _never,
}
