"""The statements of the data-protection page as checks. Sources: DP, DP-NEW where a row says so.

A claim says what the page states and what has to be observed for it to hold; the verdict comes
from findings (``testbed.verdicts``), never from a setting.
"""

from dataclasses import dataclass

# By the first letter of a claim's id.
THEMES = {
    "P": "What customers put where, and who calls",
    "R": "Encryption at rest",
    "G": "Grants",
    "T": "Encryption in transit",
    "E": "Encryption by the client",
}


@dataclass(frozen=True)
class Claim:
    """One statement of the page, and the evidence it takes."""

    id: str
    statement: str
    evidence: str

    @property
    def theme(self) -> str:
        """The heading that it belongs under."""
        return THEMES.get(self.id[:1], "Other")


CLAIMS = (
    Claim(
        "P1",
        "Broker names and tags carry no personal or confidential data (the page's advice: the API "
        "takes them)",
        "the API accepts what AWS accepts; a name or tag that looks like an e-mail address, a "
        "phone number or a secret is reported by `testbed advise` (and refused only where "
        "`--strict-names` was asked for), a clean one is not; UUIDs, ARNs, CIDR blocks and account "
        "ids are clean; the name rules of the API (length, characters) hold",
    ),
    Claim(
        "P2",
        "User names carry none either",
        "same, for both engines and their own character rules",
    ),
    Claim(
        "P3",
        "No credentials in a URL to an external server (advice, too)",
        "a network-connector, shovel, federation or LDAP URL with `user:password@` is reported by "
        "`testbed advise` (refused where `--strict-names` was asked for); neither the report nor "
        "any log or record repeats the password; a URL without credentials is not reported",
    ),
    Claim(
        "P4",
        "API and user activity is logged (CloudTrail)",
        "every call on keys, brokers and identities leaves one record with who, what, when, over "
        "which TLS (`tlsDetails`) and with what result; passwords and plaintext keys never appear "
        "in it",
    ),
    Claim(
        "P5",
        "FIPS 140-3 endpoints for clients that need them",
        "with the FIPS client profile only approved suites are offered, and each listener still "
        "accepts one",
    ),
    Claim(
        "P6",
        "AWS API clients: TLS 1.2 required, 1.3 recommended",
        "the testbed's own AWS endpoint refuses TLS 1.0 and 1.1 and accepts 1.2 and 1.3",
    ),
    Claim(
        "P7",
        "Individual users with IAM, each with only the permissions of its job",
        "a user or role whose identity policy lacks one action (`mq:CreateBroker`, "
        "`kms:CreateGrant` on this key, `mq:RebootBroker` on this broker's ARN) is denied in AWS's "
        "words and nothing happens; with the action it works; a Deny, a permissions boundary and a "
        "session policy each take it away again",
    ),
    Claim(
        "P8",
        "Multi-factor authentication",
        "a policy that wants `aws:MultiFactorAuthPresent` denies DisableKey and "
        "ScheduleKeyDeletion to a session without it and allows them to one that gave a valid "
        "code; CloudTrail's `mfaAuthenticated` tells the two apart",
    ),
    Claim(
        "P9",
        "Managed services that find sensitive data (Macie, in S3)",
        "not about the broker: not reproducible locally",
    ),
    Claim(
        "R1",
        "Data is always encrypted at rest",
        "a random canary written as a durable message is in no byte of the volume's raw storage, "
        "and is readable through the mounted view; there is no option that turns encryption off",
    ),
    Claim(
        "R2",
        "A KMS key can be given when a broker is created, on either engine",
        "CreateBroker with a key works on both; DescribeBroker echoes it; it can't be changed "
        "afterwards",
    ),
    Claim(
        "R3",
        "With no key given, an AWS owned key is created and used",
        "the key does the work but is absent from the account's ListKeys and from its trail",
    ),
    Claim(
        "R4",
        "Symmetric keys only",
        "RSA, ECC and HMAC keys, an unknown key, a disabled key and one pending deletion are each "
        "refused at creation with a clear error, and nothing is left behind",
    ),
    Claim(
        "R5",
        "AWS managed key `aws/mq`",
        "it appears in the account under that alias on first use, is reused after that, and can't "
        "be disabled or scheduled for deletion by its owner",
    ),
    Claim(
        "R6",
        "Customer managed key",
        "created, disabled, enabled, scheduled, cancelled, rotated by its owner while a broker "
        "depends on it",
    ),
    Claim(
        "R7",
        "Revoking a grant cannot be undone",
        "after RevokeGrant no sequence of calls brings the broker back to maintained; deleting "
        "and recreating it does",
    ),
    Claim(
        "R8",
        "EFS: revoking its grant does not act at once",
        "an ActiveMQ broker on shared storage serves on for the stated delay, then stops",
    ),
    Claim(
        "R9",
        "EBS: key disabled, scheduled for deletion, or grant revoked: the broker cannot be "
        "maintained and may degrade",
        "it serves on while the volume is attached; the periodic check then reports "
        "CRITICAL_ACTION_REQUIRED with the invalid-key code; a reboot is refused; a node whose "
        "volume was detached does not come back",
    ),
    Claim(
        "R10",
        "A disabled or scheduled key can be enabled or its deletion cancelled, and the broker "
        "stays maintained",
        "after EnableKey (or CancelKeyDeletion then EnableKey) the broker returns to RUNNING, "
        "reboots, and holds every confirmed message it had",
    ),
    Claim(
        "R11",
        "Deactivating a key or revoking a grant is not immediate",
        "the delay is a parameter; inside it nothing changes, after it everything in R9 does",
    ),
    Claim(
        "G1",
        "RabbitMQ single instance: two CreateGrant events",
        "exactly two, `mq_grant` then one for the EBS volume, with the page's operations, "
        "principals, constraint and identities",
    ),
    Claim(
        "G2",
        "RabbitMQ cluster: five CreateGrant events",
        "exactly five: `mq_grant` (eight operations), `mq_rabbit_grant` (DescribeKey), three for "
        "the volumes, each bound to its own volume id",
    ),
    Claim(
        "G3",
        "The grants mean something",
        "each service principal can do what its grant lists, with the right encryption context, "
        "and nothing else: a wrong operation, context, principal or retired grant gets "
        "AccessDeniedException",
    ),
    Claim(
        "T1",
        "RabbitMQ: TLS for all client connections",
        "every listener refuses plaintext; AMQP and the management interface answer only over TLS",
    ),
    Claim(
        "T2",
        "RabbitMQ protocols over TLS",
        "AMQP 0-9-1 (and AMQP 1.0 on 4.x) carry a message end to end; what the service does not "
        "offer (MQTT, STOMP, streams) is closed",
    ),
    Claim(
        "T3",
        "RabbitMQ cipher suites",
        "of all suites OpenSSL can offer, exactly the two documented ones are accepted, on TLS "
        "1.2; 1.0, 1.1 and (newer edition) 1.3 are refused",
    ),
    Claim(
        "T4",
        "RabbitMQ cluster replication is not encrypted by TLS",
        "a capture on the inter-node link shows the canary; a capture on the client link does not",
    ),
    Claim(
        "T5",
        "ActiveMQ protocols over TLS",
        "AMQP, MQTT, MQTT over WebSocket, OpenWire, STOMP, STOMP over WebSocket: each sends and "
        "receives, and a message sent by one is received by the others",
    ),
    Claim(
        "T6",
        "ActiveMQ cipher suites",
        "of all suites OpenSSL can offer, exactly the 18 documented ones are accepted on each of "
        "the five listeners and the console; TLS 1.0, 1.1 and plaintext are refused",
    ),
    Claim(
        "T7",
        "ActiveMQ: traffic between brokers is TLS",
        "in a network of brokers and between active and standby, messages cross and the canary is "
        "in no captured packet",
    ),
    Claim(
        "T8",
        "Certificates are checked",
        "a client that trusts the testbed's authority connects; one that does not, or that asks "
        "for another host name, is told why; the certificate has the service's wildcard shape",
    ),
    Claim(
        "E1",
        "Client-side encryption with the AWS Encryption SDK",
        "a payload encrypted under a KMS key is opaque in the broker's console and on disk, "
        "decrypts at the consumer, fails when the key is disabled and works again when it is "
        "enabled",
    ),
)
