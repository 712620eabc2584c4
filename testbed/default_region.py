"""The Region of a testbed for which none was named: as AWS's tools read it."""

import os

from botocore.exceptions import BotoCoreError
from botocore.session import Session

from testbed.documented import regions
from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import TestbedError


def default_region() -> str:
    """Return the Region of the environment or of the AWS profile, otherwise us-east-1.

    ``AWS_REGION`` comes before ``AWS_DEFAULT_REGION``, as in the AWS CLI. Raises ``TestbedError``
    if AWS has no such Region.
    """
    return checked(os.environ.get("AWS_REGION") or _configured() or DEFAULT_REGION)


def checked(region: str) -> str:
    """Return ``region``. Raises ``TestbedError`` if AWS has no such Region."""
    if not regions.exists(region):
        raise TestbedError(
            f"AWS has no Region {region!r}.",
            hint="Name one as in eu-central-1: with --region, or in AWS_REGION.",
        )
    return region


def _configured() -> str | None:
    try:
        region: str | None = Session().get_config_variable("region")
    except BotoCoreError:  # the environment names a profile that does not exist
        return None
    return region
