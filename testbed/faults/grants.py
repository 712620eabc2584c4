"""Revoke a broker's grants on its key, as the key's owner can."""

from testbed.errors import KmsError
from testbed.faults.base import Options, Record, Target, broker_of
from testbed.faults.key import DisableKey, call_owner, unless_deleted


class RevokeGrants(DisableKey):
    name = "revoke-grants"
    summary = "Revoke the broker's grants on its key; it takes effect after the delay of KMS."
    in_aws = "The key's owner revokes them: lost for good, though here undoing makes new ones."

    def plan(self, target: Target, options: Options) -> Record:
        ids = [grant.grant_id for grant in broker_of(target).grants]
        return {**super().plan(target, options), "grants": ids}

    def inject(self, target: Target, record: Record) -> None:
        for grant in record["grants"]:
            try:
                call_owner(target, "RevokeGrant", record["key"], GrantId=grant)
            except KmsError as error:
                if error.code != "NotFoundException":
                    raise

    def undo(self, target: Target, record: Record) -> None:
        """Create new grants, as CreateBroker did, in place of all of them."""
        if target.broker:
            self.inject(target, record)  # what an interruption has left
            with unless_deleted(record["key"]):
                target.testbed.upkeep.renew_grants(target.broker.broker_id, record["grants"])
            target.testbed.upkeep.check(target.broker.broker_id)

    def describe(self, record: Record) -> str:
        return (
            f"Revoked the {len(record['grants'])} grants of {record['subject']} on its key. "
            "AWS cannot restore a revoked grant: undoing creates new ones."
        )
