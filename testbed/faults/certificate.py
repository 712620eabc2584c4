"""Give a broker another certificate: its nodes restart with it, one after the other."""

from testbed.faults.base import Fault, Record, Target, broker_of


class RotateCertificate(Fault):
    name = "rotate-certificate"
    summary = "Issue a new certificate of the same authority; the nodes restart, one by one."
    in_aws = "Amazon MQ renews the certificate: clients that pinned the old one fail."
    of = "broker"
    lasts = False
    defect = ""

    def refusal(self, target: Target) -> str:
        state = broker_of(target).broker_state
        return "" if state == "RUNNING" else f"Its state is {state}."

    def inject(self, target: Target, record: Record) -> None:
        target.testbed.upkeep.renew_certificate(broker_of(target).broker_id, self.defect)

    def undo(self, target: Target, record: Record) -> None:
        """Keep the new certificate, which is as good as the old one."""

    def describe(self, record: Record) -> str:
        return f"Gave {record['subject']} a new certificate and restarted its nodes."


class ExpireCertificate(RotateCertificate):
    name = "expire-certificate"
    summary = "Let the certificate have expired yesterday; the nodes restart with it, one by one."
    in_aws = "Clients whose clock is wrong, or a certificate of your own that nobody renewed."
    lasts = True
    defect = "expired"

    def undo(self, target: Target, record: Record) -> None:
        """Issue a new certificate."""
        if target.broker:
            target.testbed.upkeep.renew_certificate(target.broker.broker_id)

    def describe(self, record: Record) -> str:
        return f"Gave {record['subject']} an expired certificate and restarted its nodes."
