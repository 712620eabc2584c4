"""The initial contents of a RabbitMQ broker: its virtual host, users and policies."""

import base64
import hashlib
import json
from dataclasses import replace

from testbed.documented import policies
from testbed.documented.policies import Policy
from testbed.engines.base import NodeSpec, User
from testbed.engines.rabbitmq.releases import ONE_POLICY

_VHOST = "/"


def definitions(node: NodeSpec) -> bytes:
    """Return the definitions to import.

    They are the same bytes for the same broker: RabbitMQ then skips those it has imported.
    """
    users = [
        {
            "name": user.username,
            "password_hash": _password_hash(user, node.broker_id),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["administrator"],
        }
        for user in node.users
    ]
    everything = {"vhost": _VHOST, "configure": ".*", "write": ".*", "read": ".*"}
    default_queue_type = {} if node.version.startswith("3.") else {"default_queue_type": "quorum"}
    return json.dumps(
        {
            "vhosts": [{"name": _VHOST, **default_queue_type}],
            "users": users,
            "permissions": [{"user": user.username, **everything} for user in node.users],
            **_policies(node),
        }
    ).encode()


def _policies(node: NodeSpec) -> dict[str, object]:
    defaults = policies.policies(node.version, cluster=node.cluster is not None)
    operators: tuple[Policy, ...] = (policies.operator_policy(node.version),)
    if node.release in ONE_POLICY:
        definition = {**defaults[0].definition, **operators[0].definition}
        defaults, operators = (replace(defaults[0], definition=definition),), ()
    return {
        "policies": [
            {"vhost": _VHOST, "name": policy.name, **_policy(policy)} for policy in defaults
        ],
        # Not among "policies": RabbitMQ keeps it as a parameter of this component.
        "parameters": [
            {
                "vhost": _VHOST,
                "component": "operator_policy",
                "name": policy.name,
                "value": _policy(policy),
            }
            for policy in operators
        ],
    }


def _policy(policy: Policy) -> dict[str, object]:
    return {
        "pattern": policy.pattern,
        "apply-to": policy.apply_to,
        "priority": policy.priority,
        "definition": dict(policy.definition),
    }


def _password_hash(user: User, broker_id: str) -> str:
    """Return RabbitMQ's salted SHA-256: a salt of four bytes, then the digest, in base64.

    Source: RabbitMQ, "Credentials and Passwords".
    """
    salt = hashlib.sha256(f"{broker_id}\0{user.username}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + user.password.encode()).digest()).decode()
