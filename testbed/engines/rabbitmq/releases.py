"""The release of RabbitMQ that runs for each version of Amazon MQ, and what it does otherwise.

Brokers run what Debian packages. Of November 2026: 3.10 in bookworm, 4.0 in trixie, which is the
stable release, and 4.3 in forky, which is testing. Nothing has 3.13, so that 3.10 stands in for it,
which mirrors queues as well; and nothing has 4.2, so that 4.0 stands in: 4.3 is as near, but would
take away the difference between the two versions, and testing moves.
"""

from testbed.engines.base import Difference

# The release behind each version that CreateBroker takes. Debian's forky moves on within 4.3.
RELEASES = {"4.2": "4.0.5", "4.3": "4.3", "3.13": "3.10.8"}
# The Debian release that has it, if not the base's.
SUITES = {"4.3": "forky", "3.13": "bookworm"}

# Seen on running nodes by tests/engines/rabbitmq/test_releases.py. Sources: the release notes of
# RabbitMQ 3.11 to 3.13, 4.1.0 and 4.2.0.
DIFFERENCES = {
    "4.2": (
        Difference(
            "`frame_max` of AMQP 0-9-1",
            "a client that asks for less than 8192 bytes is refused, such as amqplib before 0.10.7",
            "4096 bytes and more are accepted",
        ),
        Difference(
            "metadata store",
            "Khepri",
            "Mnesia, in which a queue that is less than half a second old does not survive a kill",
        ),
        Difference(
            "`cluster_exchange_limit`",
            "exchanges beyond the limit are refused",
            "they are accepted",
        ),
        Difference("shovels of the protocol `local`", "are accepted", "are refused"),
        Difference(
            "AMQP 1.0 messages without a header",
            "are transient, as AMQP 1.0 has it",
            "are durable",
        ),
    ),
    "3.13": (
        Difference(
            "default policies",
            "an operator policy mirrors classic queues",
            "a policy mirrors queues, and a user's policy takes its place",
        ),
        Difference("upgrades", "to 4.2", "are refused: 4.0.5 does not read the data of 3.10.8"),
        Difference(
            "`management.restrictions.operator_policy_changes.disabled`",
            "users cannot change operator policies",
            "administrators can",
        ),
        Difference(
            "policies for `classic_queues` or `quorum_queues` alone", "are accepted", "are refused"
        ),
        Difference(
            "`quorum_queue.property_equivalence.relaxed_checks_on_redeclaration`",
            "a quorum queue may be declared again as a classic one",
            "it may not",
        ),
    ),
}

# The keys of configurations that a release does not have.
LACKS = {
    "3.10.8": (
        "management.restrictions.operator_policy_changes.disabled",
        "quorum_queue.property_equivalence.relaxed_checks_on_redeclaration",
    ),
    "4.0.5": ("cluster_exchange_limit",),
}
# The releases whose operator policies and kinds of queues are too few for the service's policies.
ONE_POLICY = ("3.10.8",)

# The releases whose data none of the others can read.
WITHOUT_UPGRADE = ("3.10.8",)

# What RabbitMQ 4.3 denies and Debian's package permits again, by a patch of its own
# (its changelog, 4.3.0-3).
DENIED = {"4.3": ("transient_nonexcl_queues",)}
