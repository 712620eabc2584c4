"""A customer's RabbitMQ configuration: documented keys and ranges, in RabbitMQ's terms."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.documented.engines import VERSIONS
from testbed.documented.rabbitmq_keys import DEFAULT, FIXED, KEYS, LIMIT_KEYS, MAXIMA
from testbed.engines.base import NodeSpec
from testbed.engines.rabbitmq import configuration, settings
from testbed.engines.rabbitmq.engine import RabbitMQ
from testbed.errors import BadRequestException
from tests.support.rabbitmq_node import spec

NODE = spec()
ROLE = "aws.arns.assume_role_arn = arn:aws:iam::111122223333:role/broker\n"
CA = "arn:aws:s3:::certificates/ca.pem"
MTLS = f"ssl_options.verify = verify_peer\naws.arns.ssl_options.cacertfile = {CA}\n{ROLE}"


def refusal(data: str, version: str = "4.2", **broker: object) -> BadRequestException:
    with pytest.raises(BadRequestException) as caught:
        configuration.settings(data, version, **broker)  # type: ignore[arg-type]
    assert "\n" not in caught.value.message
    return caught.value


def rendered(node: NodeSpec) -> dict[str, str]:
    lines = RabbitMQ().files(node)["etc/rabbitmq.conf"].decode("ascii").splitlines()
    pairs = [line.partition(" = ")[::2] for line in lines]
    assert len(dict(pairs)) == len(pairs), "every setting once"
    return dict(pairs)


def with_configuration(data: str, **changes: object) -> NodeSpec:
    return dataclasses.replace(NODE, configuration=data, **changes)  # type: ignore[arg-type]


# What it may set


# Values that a key may have, and values that it may not.
VALUES = [
    ("heartbeat", ["60", "3600"], ["59", "3601", "-60", "60s", "1e3", "0x60", "", "٦٠"]),
    ("consumer_timeout", ["0", "2147483647"], ["2147483648", "-1", "infinity"]),
    ("secure.management.http.headers.enabled", ["true", "false"], ["TRUE", "1", "yes", ""]),
    ("management.restrictions.operator_policy_changes.disabled", ["true", "false"], ["0"]),
    ("connection_max", ["1", "5000"], ["0", "-1", "infinity"]),
    ("max_message_size", ["134217728"], ["134217729", "128MB"]),
    (
        "amqp_client.ssl_options.verify",
        ["verify_none", "verify_peer"],
        ["none", "verify_peer,verify_none"],
    ),
    ("ssl_options.verify", ["verify_none"], ["verify_any"]),
    ("ssl_options.fail_if_no_peer_cert", ["true"], ["maybe"]),
    ("ssl_options.depth", ["0", "255"], ["256"]),
    ("ssl_options.hostname_verification", ["wildcard", "none"], ["strict"]),
    (
        "ssl_cert_login_from",
        ["distinguished_name", "common_name", "subject_alternative_name", "subject_alt_name"],
        ["cn"],
    ),
    ("ssl_cert_login_san_type", ["dns", "ip", "email", "uri", "other_name"], ["x"]),
    (
        "auth_mechanisms.1",
        ["PLAIN", "AMQPLAIN", "EXTERNAL"],
        ["ANONYMOUS", "RABBIT-CR-DEMO", "external"],
    ),
    ("auth_backends.1", ["internal"], ["rabbit_auth_backend_dummy", "cache"]),
    (
        "quorum_queue.property_equivalence.relaxed_checks_on_redeclaration",
        ["true", "false"],
        ["on"],
    ),
    ("management.ssl.verify", ["verify_none"], ["verify_any"]),
    ("management.ssl.depth", ["0", "255"], ["256"]),
    ("management.ssl.hostname_verification", ["wildcard", "none"], ["strict"]),
    ("ssl_cert_login_san_index", ["0", "255"], ["-1", "256"]),
]


def test_every_key_has_values_that_are_refused() -> None:
    """Limits and ARNs have tests of their own."""
    arns = {name for name, key in KEYS.items() if key.kind == "arn"}
    assert KEYS.keys() - {name for name, _, _ in VALUES} - set(LIMIT_KEYS) == arns


@pytest.mark.parametrize(("key", "good", "bad"), VALUES)
def test_a_key_takes_its_documented_values(key: str, good: list[str], bad: list[str]) -> None:
    for value in good:
        assert configuration.settings(f"{key}={value}", "4.2")[key] == value
    for value in bad:
        error = refusal(f"{key} = {value}")
        assert key in error.message
        assert error.error_attribute == "data"


def test_comments_blank_lines_and_the_last_of_two_count_as_in_rabbitmq() -> None:
    data = "# a comment\n\n heartbeat = 100 # seconds\nheartbeat=200\n"
    assert configuration.settings(data, "4.2") == {"heartbeat": "200"}
    assert configuration.sanitize(data, "4.2").data == data
    assert configuration.sanitize(data, "4.2").warnings == ()


@pytest.mark.parametrize("version", ["3.13", "4.2", "4.3"])
def test_the_services_own_default_is_one(version: str) -> None:
    assert configuration.sanitize(DEFAULT, version).data == DEFAULT


# What it is refused for


@pytest.mark.parametrize(
    "key",
    [
        "ssl_options.versions.1",
        "ssl_options.ciphers.1",
        "ssl_options.certfile",
        "ssl_options.keyfile",
        "ssl_options.honor_cipher_order",
        "ssl_options.client_renegotiation",
        "ssl_options.sni",
        "ssl_options.password",
        "ssl_options.key.RSAPrivateKey",
        "management.ssl.versions.1",
        "management.ssl.fail_if_no_peer_cert",
        "listeners.tcp",
        "listeners.tcp.default",
        "listeners.ssl.default",
        "management.tcp.port",
        "management.listener.port",
    ],
)
def test_what_amazon_mq_fixes_cannot_be_set(key: str) -> None:
    assert refusal(f"{key} = x").message == f"{key} cannot be configured: Amazon MQ sets it."


@pytest.mark.parametrize(
    "key",
    [
        "loopback_users",
        "log.file",
        "vm_memory_high_watermark.relative",
        "definitions.import_backend",
        "definitions.local.path",
        "mqtt.listeners.tcp.1",
        "cluster_formation.peer_discovery_backend",
        "heartbeat.1",
        "auth_mechanisms",
        "auth_mechanisms.a",
        "include",
        "default_user",
        "default_pass",
        "ssl_handshake_timeout",
        "management.path_prefix",
        "runtime_parameters.limits.federation",
        "aws.arns.ssl_options.keyfile",
    ],
)
def test_what_is_not_documented_cannot_be_set(key: str) -> None:
    assert "is not a configuration option" in refusal(f"{key} = 1").message


def test_a_certificate_authority_is_named_by_arn_and_with_a_role() -> None:
    assert (
        "Use aws.arns.ssl_options.cacertfile instead"
        in refusal("ssl_options.cacertfile = /etc/passwd").message
    )
    assert (
        "aws.arns.assume_role_arn must be provided"
        in refusal(f"aws.arns.ssl_options.cacertfile = {CA}").message
    )
    assert (
        "needs aws.arns.ssl_options.cacertfile"
        in refusal("ssl_options.verify = verify_peer").message
    )
    assert (
        "needs aws.arns.management.ssl.cacertfile"
        in refusal(f"management.ssl.verify = verify_peer\n{MTLS}").message
    )
    for arn in (
        "ca.pem",
        "/etc/passwd",
        "arn:aws:s3",
        "arn:aws:ec2:us-east-1:111122223333:vpc/x",
        f"{CA} x",
        "arn:aws:iam::1:role/x",
    ):
        assert (
            "ARN of a resource of s3 or acm-pca"
            in refusal(f"aws.arns.ssl_options.cacertfile = {arn}\n{ROLE}").message
        )
    authority = (
        "arn:aws:acm-pca:us-east-1:111122223333:"
        "certificate-authority/1234abcd-12ab-34cd-56ef-1234567890ab"
    )
    configuration.settings(f"aws.arns.ssl_options.cacertfile = {authority}\n{ROLE}", "4.2")


@pytest.mark.parametrize(
    "line",
    [
        "heartbeat",
        "heartbeat: 60",
        "= 60",
        "heart beat = 60",
        "[{rabbit, []}].",
        "\x00 = 1",
        "{{m7g.large.3}} x",
    ],
)
def test_an_invalid_line_is_refused_by_its_number(line: str) -> None:
    assert (
        refusal(f"heartbeat = 60\n{line}").message
        == "Line 2 of the configuration is not key = value."
    )


@pytest.mark.parametrize(
    "line",
    [
        "auth_ldap.servers.1 = admin:hunter2hunter2@ldap.example.com",
        "auth_ldap.servers.1 = ldaps://admin:hunter2hunter2@ldap.example.com",
        "auth_http.user_path = https://admin:hunter2hunter2@auth.example.com/user",
        "auth_oauth2.issuer = https://x.example.com?token=hunter2hunter2",
        "heartbeat = amqps://admin:hunter2hunter2@h:5671",
    ],
)
def test_a_refusal_does_not_repeat_the_value(line: str) -> None:
    error = refusal(line)
    assert "hunter2" not in repr((error, error.args, error.hint))


@pytest.mark.parametrize(
    "line",
    [
        "auth_ldap.servers.1 = ldap.example.com",
        "auth_http.user_path = https://auth.example.com/user",
        "auth_oauth2.issuer=x",
        "management.oauth_enabled = true",
        "auth_backends.1 = oauth2",
        "auth_backends.2 = rabbit_auth_backend_ldap",
    ],
)
def test_servers_outside_are_the_testbeds_limit_in_every_version(line: str) -> None:
    for version in VERSIONS["RABBITMQ"]:
        message = refusal(line, version).message
        assert "server outside of the broker, which the testbed does not have" in message
        assert "Amazon MQ takes it" in message


def test_a_version_has_its_own_keys() -> None:
    four = [name for name, key in KEYS.items() if key.since == 4]
    assert set(LIMIT_KEYS) < set(four)
    assert "ssl_options.verify" in four
    for name in four:
        assert (
            f"{name} is for RabbitMQ 4 and later, and this is 3.13."
            == refusal(f"{name} = 1", "3.13").message
        )
    assert configuration.settings("heartbeat = 60", "3.13") == {"heartbeat": "60"}


# Limits and sections


def test_a_limit_above_the_brokers_is_refused_in_the_documented_sentence() -> None:
    large = refusal("cluster_queue_limit = 100000000", revision=7)
    assert large.message == (
        "Configuration Revision 7 for configuration:cluster_queue_limit has limit: "
        "of value: 100000000 larger than maximum allowed limit:20000"
    )
    cluster = refusal("cluster_queue_limit = 10001", deployment_mode="CLUSTER_MULTI_AZ")
    assert cluster.message.endswith("larger than maximum allowed limit:10000")
    medium = refusal(
        "cluster_queue_limit = 501",
        deployment_mode="CLUSTER_MULTI_AZ",
        instance_type="mq.m7g.medium",
    )
    assert medium.message.endswith("larger than maximum allowed limit:500")


@pytest.mark.parametrize("mode", list(MAXIMA))
def test_every_limit_may_be_at_its_maximum(mode: str) -> None:
    assert all(set(limits) == set(LIMIT_KEYS) for limits in MAXIMA[mode].values())
    for instance_type, limits in MAXIMA[mode].items():
        for key, most in limits.items():
            configuration.settings(
                f"{key} = {most}", "4.3", deployment_mode=mode, instance_type=instance_type
            )
            refusal(f"{key} = {most + 1}", "4.3", deployment_mode=mode, instance_type=instance_type)


SECTIONS = """\
connection_max = 1000
{{m7g.large.3}}
connection_max = 2000
{{m7g.large.3}}
{{m7g.xlarge.3}}
connection_max = 4000
{{m7g.xlarge.3}}
"""


@pytest.mark.parametrize(
    ("instance_type", "mode", "expected"),
    [
        ("mq.m7g.large", "CLUSTER_MULTI_AZ", "2000"),
        ("mq.m7g.xlarge", "CLUSTER_MULTI_AZ", "4000"),
        ("mq.m7g.large", "SINGLE_INSTANCE", "1000"),
        ("mq.m7g.medium", "CLUSTER_MULTI_AZ", "refused"),
    ],
)
def test_a_section_is_for_its_instance_type_and_mode(
    instance_type: str, mode: str, expected: str
) -> None:
    if expected == "refused":
        assert (
            "maximum allowed limit:300"
            in refusal(SECTIONS, instance_type=instance_type, deployment_mode=mode).message
        )
        return
    values = configuration.settings(
        SECTIONS, "4.2", instance_type=instance_type, deployment_mode=mode
    )
    assert values == {"connection_max": expected}


def test_what_is_later_takes_precedence() -> None:
    data = "{{m7g.large.1}}\nconnection_max = 2000\n{{m7g.large.1}}\nconnection_max = 1000\n"
    assert configuration.settings(data, "4.2") == {"connection_max": "1000"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{{m7g.large.2}}\n{{m7g.large.2}}", "does not name an instance type"),
        ("{{m7g.huge.1}}\n{{m7g.huge.1}}", "does not name an instance type"),
        ("{{}}", "does not name an instance type"),
        ("{{m7g.large.1}}\nconnection_max = 1", "does not end"),
        ("{{m7g.large.1}}\n{{m7g.large.3}}", "begins a section in the section"),
        ("{{m7g.large.1}}\nheartbeat = 60\n{{m7g.large.1}}", "cannot be in a section"),
    ],
)
def test_a_broken_section_is_refused(data: str, words: str) -> None:
    assert words in refusal(data).message


def test_sections_are_for_rabbitmq_4() -> None:
    assert (
        "RabbitMQ 4"
        in refusal("{{m7g.large.1}}\nconnection_max = 1\n{{m7g.large.1}}", "3.13").message
    )


# What RabbitMQ is told


def test_without_a_configuration_rabbitmq_gets_the_documented_defaults() -> None:
    conf = rendered(NODE)
    expected = {name: key.default for name, key in KEYS.items() if key.default and name in conf}
    assert expected.items() <= conf.items()
    assert {"heartbeat", "consumer_timeout", "ssl_options.verify"} <= expected.keys()
    assert (conf["auth_mechanisms.1"], conf["auth_mechanisms.2"], conf["default_queue_type"]) == (
        "PLAIN",
        "AMQPLAIN",
        "quorum",
    )
    assert (
        conf["management.headers.frame_options"],
        conf["management.headers.content_type_options"],
    ) == ("DENY", "nosniff")
    assert "{verify, verify_peer}" in RabbitMQ().files(NODE)["etc/advanced.config"].decode(), (
        "shovels and federation"
    )


def test_a_configuration_changes_them() -> None:
    data = (
        "consumer_timeout = 0\nheartbeat = 100\n"
        "secure.management.http.headers.enabled = false\ncluster_exchange_limit = 50\n"
        "amqp_client.ssl_options.verify = verify_none\nauth_mechanisms.1 = EXTERNAL\n"
        "ssl_options.hostname_verification = wildcard\n"
    )
    node = with_configuration(data + MTLS)
    conf, advanced = rendered(node), RabbitMQ().files(node)["etc/advanced.config"].decode()
    assert (conf["heartbeat"], conf["ssl_options.verify"], conf["ssl_options.cacertfile"]) == (
        "100",
        "verify_peer",
        "/run/testbed/tls/ca.pem",
    )
    assert [value for name, value in conf.items() if name.startswith("auth_mechanisms")] == [
        "EXTERNAL"
    ]
    absent = (
        "consumer_timeout",
        "management.headers",
        "management.hsts",
        "aws.",
        "cluster_exchange_limit",
        "amqp_client",
        "secure.",
    )
    assert not [
        name for name in conf if name.startswith(absent) or name.endswith("hostname_verification")
    ]
    assert "{consumer_timeout, undefined}" in advanced
    assert "{verify, verify_none}" in advanced
    assert RabbitMQ().files(node)["tls/ca.pem"] == node.ca_pem, "what an ARN stands for here"


def test_a_client_certificate_is_wanted_only_where_its_absence_fails() -> None:
    assert not settings.wants_certificate(NODE)
    assert not settings.wants_certificate(with_configuration(MTLS))
    assert not settings.wants_certificate(
        with_configuration("ssl_options.fail_if_no_peer_cert = true")
    )
    assert settings.wants_certificate(
        with_configuration(f"{MTLS}ssl_options.fail_if_no_peer_cert = true")
    )


OWN = {
    name: value
    for name, value in rendered(NODE).items()
    if any(name == fixed or name.startswith(f"{fixed}.") for fixed in FIXED)
}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *KEYS,
                    *FIXED,
                    "auth_mechanisms.1",
                    "auth_backends.1",
                    "listeners.tcp.1",
                    "ssl_options.versions.2",
                    "x",
                ]
            ),
            st.sampled_from(
                [
                    "true",
                    "false",
                    "1",
                    "60",
                    "100",
                    "verify_none",
                    "PLAIN",
                    "internal",
                    "none",
                    "tlsv1",
                    "dns",
                    "common_name",
                    CA,
                ]
            ),
        ),
        max_size=4,
    )
)
def test_whatever_it_is_the_listeners_their_versions_and_suites_stay_the_brokers_own(
    lines: list[tuple[str, str]],
) -> None:
    node = with_configuration("".join(f"{name} = {value}\n" for name, value in lines))
    try:
        conf = rendered(node)
    except BadRequestException:
        return
    assert {
        name: value
        for name, value in conf.items()
        if any(name == fixed or name.startswith(f"{fixed}.") for fixed in FIXED)
    } == OWN
    assert len(OWN) >= 10


def test_control_a_configuration_appended_as_it_is_would_win() -> None:
    conf = (
        RabbitMQ().files(NODE)["etc/rabbitmq.conf"].decode()
        + "ssl_options.versions.1 = tlsv1\nlisteners.tcp.default = 5672\n"
    )
    values = dict(line.partition(" = ")[::2] for line in conf.splitlines())
    assert {name: values[name] for name in OWN} != OWN
    assert "listeners.tcp.default" in values


def test_the_log_of_quorum_queues_fits_a_small_volume() -> None:
    def limit(size: int) -> str | None:
        return rendered(dataclasses.replace(NODE, volume_size=size)).get("raft.wal_max_size_bytes")

    assert limit(0) is None, "files have no size, and RabbitMQ's default is 512 MiB"
    assert limit(80 * 2**20) == str(10 * 2**20)
    assert limit(200 * 10**9) == str(512 * 2**20)
