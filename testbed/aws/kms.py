"""KMS (API version 2014-11-01): every operation, by the one door that the testbed itself uses."""

from testbed.aws.json_protocol import JsonService
from testbed.kms.base import Kms


def service(kms: Kms) -> JsonService:
    return JsonService("kms", "TrentService", kms.call)
