"""Disable a broker's key and enable it again, with plain boto3.

Run `eval "$(testbed env)"` first.
"""

import time

import boto3
from botocore.exceptions import ClientError

mq, kms = boto3.client("mq"), boto3.client("kms")


def state(broker_id: str) -> str:
    broker = mq.describe_broker(BrokerId=broker_id)
    codes = [action["ActionRequiredCode"] for action in broker["ActionsRequired"]]
    return " ".join([broker["BrokerState"], *codes])


def wait_for(broker_id: str, expected: str) -> None:
    """Wait for a state: disabling a key takes seconds to act in the testbed, hours in AWS."""
    end = time.monotonic() + 120
    while not (current := state(broker_id)).startswith(expected):
        if time.monotonic() > end:
            raise SystemExit(f"still {current} after two minutes, not {expected}")
        time.sleep(0.5)
    print(f"DescribeBroker: {current}")


broker_id = next(
    broker["BrokerId"]
    for broker in mq.list_brokers()["BrokerSummaries"]
    if broker["EngineType"] == "RABBITMQ"
)
key = mq.describe_broker(BrokerId=broker_id)["EncryptionOptions"]["KmsKeyId"]
print(f"DescribeBroker: {state(broker_id)}")

print("DisableKey")
kms.disable_key(KeyId=key)
wait_for(broker_id, "CRITICAL_ACTION_REQUIRED")
try:
    mq.reboot_broker(BrokerId=broker_id)
except ClientError as error:
    print(f"RebootBroker: {error}")

print("EnableKey")
kms.enable_key(KeyId=key)
wait_for(broker_id, "RUNNING")
mq.reboot_broker(BrokerId=broker_id)
wait_for(broker_id, "REBOOT_IN_PROGRESS")
wait_for(broker_id, "RUNNING")
