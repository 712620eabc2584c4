"""Lines of both engines, and the log groups that they belong to."""

import pytest

from testbed.documented.log_groups import group_of

STAMP = "2026-11-29 10:00:00.000000+00:00"


@pytest.mark.parametrize(
    ("engine", "line", "group"),
    [
        ("RABBITMQ", f"{STAMP} [info] <0.9.0> Server startup complete; 5 plugins", "general"),
        (
            "RABBITMQ",
            f"{STAMP} [info] <0.9.0> accepting AMQP connection <0.9.0> (127.0.0.1:5 -> ...)",
            "connection",
        ),
        (
            "RABBITMQ",
            f"{STAMP} [info] <0.9.0> connection <0.9.0> (...): user 'a' authenticated and granted",
            "connection",
        ),
        ("RABBITMQ", f"{STAMP} [warning] <0.9.0> closing AMQP connection <0.9.0>", "connection"),
        ("RABBITMQ", f"{STAMP} [error] <0.9.0> Channel error on connection <0.8.0>:", "channel"),
        ("ACTIVEMQ", "2026-11-29T10:00:00.000Z INFO BrokerService - started", "general"),
        ("ACTIVEMQ", "2026-11-29T10:00:00.000Z INFO audit - admin called ...", "audit"),
        ("ACTIVEMQ", "2026-11-29T10:00:00.000Z INFO Queue - audit - is no logger", "general"),
    ],
)
def test_each_line_is_in_one_group(engine: str, line: str, group: str) -> None:
    assert group_of(engine, line) == group
