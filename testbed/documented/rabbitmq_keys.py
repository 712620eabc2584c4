"""The keys of a customer's RabbitMQ configuration, their permitted values and defaults.

Sources: CONF, LIMITS, SSLAUTH, MTLS, AMQPCLIENT. Keys for LDAP, HTTP and OAuth 2.0 servers are
documented too, but need an external server.

No page lists TLS versions or cipher suites as configurable: Amazon MQ fixes them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """A configuration key; ``default`` is empty if none is documented.

    ``kind`` is ``integer``, ``boolean``, ``choice`` or ``arn``; ``since`` is the first major
    version that accepts the key.
    """

    kind: str
    default: str = ""
    minimum: int = 0
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    since: int = 3


_VERIFY = ("verify_none", "verify_peer")
_HOSTNAME = ("wildcard", "none")
# An object in S3, or a certificate authority of ACM PCA (ARNs; INVALID_ARN_SSL).
_CERTIFICATE_ARN = ("s3", "acm-pca")

# In the order of the tables.
LIMIT_KEYS = (
    "connection_max",
    "channel_max_per_node",
    "consumer_max_per_channel",
    "cluster_queue_limit",
    "vhost_max",
    "runtime_parameters.limits.shovel",
    "cluster_exchange_limit",
    "max_message_size",
)

KEYS: dict[str, Key] = {
    # CONF. consumer_timeout is in ms, and 0 means infinite; heartbeat is in seconds.
    "consumer_timeout": Key("integer", "1800000", 0, 2_147_483_647),
    "heartbeat": Key("integer", "60", 60, 3600),
    "management.restrictions.operator_policy_changes.disabled": Key("boolean", "true"),
    "quorum_queue.property_equivalence.relaxed_checks_on_redeclaration": Key("boolean", "true"),
    "secure.management.http.headers.enabled": Key("boolean", "true"),
    # LIMITS. The most depends on the broker: MAXIMA.
    **{name: Key("integer", minimum=1, since=4) for name in LIMIT_KEYS},
    # AMQPCLIENT: for shovels and federation.
    "amqp_client.ssl_options.verify": Key("choice", "verify_peer", choices=_VERIFY, since=4),
    # SSLAUTH, MTLS.
    "ssl_options.verify": Key("choice", "verify_none", choices=_VERIFY, since=4),
    "ssl_options.fail_if_no_peer_cert": Key("boolean", "false", since=4),
    "ssl_options.depth": Key("integer", maximum=255, since=4),
    "ssl_options.hostname_verification": Key("choice", choices=_HOSTNAME, since=4),
    "management.ssl.verify": Key("choice", "verify_none", choices=_VERIFY, since=4),
    "management.ssl.depth": Key("integer", maximum=255, since=4),
    "management.ssl.hostname_verification": Key("choice", choices=_HOSTNAME, since=4),
    "ssl_cert_login_from": Key(
        "choice",
        choices=(
            "distinguished_name",
            "common_name",
            "subject_alternative_name",
            "subject_alt_name",
        ),
        since=4,
    ),
    "ssl_cert_login_san_type": Key(
        "choice", choices=("dns", "ip", "email", "uri", "other_name"), since=4
    ),
    "ssl_cert_login_san_index": Key("integer", maximum=255, since=4),
    "aws.arns.assume_role_arn": Key("arn", choices=("iam",), since=4),
    "aws.arns.ssl_options.cacertfile": Key("arn", choices=_CERTIFICATE_ARN, since=4),
    "aws.arns.management.ssl.cacertfile": Key("arn", choices=_CERTIFICATE_ARN, since=4),
}

# Keys that end in a number. The tutorials name EXTERNAL and internal; PLAIN and AMQPLAIN are
# RabbitMQ's defaults.
NUMBERED: dict[str, Key] = {
    "auth_mechanisms": Key("choice", choices=("PLAIN", "AMQPLAIN", "EXTERNAL"), since=4),
    "auth_backends": Key("choice", choices=("internal",)),
}
# Backends that need an external server. 3.13 has OAuth 2.0 as well ("OAuth 2.0 authentication and
# authorization for Amazon MQ for RabbitMQ", 2025).
OUTSIDE_BACKENDS = ("http", "ldap", "oauth2")

# SSLAUTH: required as soon as another key has an ARN.
ROLE_KEY = "aws.arns.assume_role_arn"
# SSLAUTH: the file keys are refused, with a hint to use the ARN keys instead.
BY_ARN = {
    f"{listener}.cacertfile": f"aws.arns.{listener}.cacertfile"
    for listener in ("ssl_options", "management.ssl")
}

# "The following SSL configuration options are not supported" (SSLAUTH; MTLS for management.ssl).
# Neither list has ciphers.
_UNSUPPORTED = (
    "cert",
    "certfile",
    "ciphers",
    "client_renegotiation",
    "crl_check",
    "dh",
    "dhfile",
    "honor_cipher_order",
    "honor_ecc_order",
    "key",
    "keyfile",
    "log_alert",
    "password",
    "psk_identity",
    "reuse_sessions",
    "secure_renegotiate",
    "sni",
    "versions",
)
FIXED = (
    *(
        f"{listener}.{option}"
        for listener in ("ssl_options", "management.ssl")
        for option in _UNSUPPORTED
    ),
    # Strict mTLS is not supported for the management API (MTLS).
    "management.ssl.fail_if_no_peer_cert",
    "listeners",
    "management.tcp",
    "management.listener",
)
# Prefixes of keys for external servers.
OUTSIDE = (
    "auth_ldap.",
    "auth_http.",
    "auth_oauth2.",
    "management.oauth_",
    "aws.arns.auth_",
    "aws.arns.management.oauth_",
)


def _table(*rows: str) -> dict[str, dict[str, int]]:
    """Return limits by instance type, from rows of a size and values as in ``LIMIT_KEYS``."""
    cells = [row.split() for row in rows]
    return {
        f"mq.m7g.{size}": dict(zip(LIMIT_KEYS, map(int, limits), strict=True))
        for size, *limits in cells
    }


# LIMITS: the maximum of each limit by deployment mode and instance type.
MAXIMA = {
    "SINGLE_INSTANCE": _table(
        "medium      300    900 1000   2500   10  150  12500 134217728",
        "large      5000  15000 1000  20000 1500  250 100000 134217728",
        "xlarge    10000  30000 1000  30000 1500  500 150000 134217728",
        "2xlarge   20000  60000 1000  40000 1500 1000 200000 134217728",
        "4xlarge   40000 120000 1000  60000 1500 2000 300000 134217728",
        "8xlarge   80000 240000 1000  80000 1500 4000 400000 134217728",
        "12xlarge 120000 360000 1000 100000 1500 6000 500000 134217728",
        "16xlarge 160000 480000 1000 120000 1500 8000 600000 134217728",
    ),
    "CLUSTER_MULTI_AZ": _table(
        "medium      300    900 1000   500   10   50    500 134217728",
        "large      5000  15000 1000 10000 1500  150  50000 134217728",
        "xlarge    10000  30000 1000 15000 1500  300  75000 134217728",
        "2xlarge   20000  60000 1000 20000 1500  600 100000 134217728",
        "4xlarge   40000 120000 1000 30000 1500 1200 150000 134217728",
        "8xlarge   80000 240000 1000 40000 1500 2400 200000 134217728",
        "12xlarge 120000 360000 1000 50000 1500 3600 250000 134217728",
        "16xlarge 160000 480000 1000 60000 1500 4800 300000 134217728",
    ),
}
LIMIT_SENTENCE = (
    "Configuration Revision {revision} for configuration:{key} has limit: of value: {value} "
    "larger than maximum allowed limit:{maximum}"
)
# LIMITS, "Instance specific section support", RabbitMQ 4 only: {{m7g.large.3}} opens and closes a
# section.
SECTION_MODES = {"SINGLE_INSTANCE": "1", "CLUSTER_MULTI_AZ": "3"}

# The configuration that the service generates (as recorded in the field for 3.13).
DEFAULT = """\
# Management header is set to true to enable Content-Type-Options, Frame-Options, and HSTS headers \
by default
secure.management.http.headers.enabled = true
# Default RabbitMQ delivery acknowledgement timeout is 30 minutes
consumer_timeout = 1800000
"""
# What secure.management.http.headers.enabled turns on (CONF): RabbitMQ's key, and its value.
SECURE_HEADERS = {
    "management.headers.content_type_options": "nosniff",
    "management.headers.frame_options": "DENY",
    "management.hsts.policy": "max-age=47304000; includeSubDomains",
}
