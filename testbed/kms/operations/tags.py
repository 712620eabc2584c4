"""Tags of keys. They are kept in the ledger: LocalStack takes some for instructions of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from testbed.documented.key_listings import TAGS_PER_KEY
from testbed.kms import refusals
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.paging import page


def tag(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """TagResource."""
    added = checked(call.parameters["Tags"])
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        tags = {**key.tags, **added}
        if len(tags) > TAGS_PER_KEY:
            raise refusals.refusal(
                "LimitExceededException", f"A KMS key can have {TAGS_PER_KEY} tags at most."
            )
        change.put_key(replace(key, tags=tags))
    return {}


def untag(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """UntagResource. Removing a tag that is not there changes nothing."""
    removed = call.parameters["TagKeys"]
    _check_reserved(removed)
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        tags = {name: text for name, text in key.tags.items() if name not in removed}
        change.put_key(replace(key, tags=tags))
    return {}


def list_tags(_: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ListResourceTags."""
    tags = call.key.tags.items()
    return page(call, "Tags", ((name, {"TagKey": name, "TagValue": text}) for name, text in tags))


def checked(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the tags of a request. Raises ``TagException``."""
    names = [tag["TagKey"] for tag in tags]
    if len(set(names)) < len(names):
        raise refusals.refusal("TagException", "Duplicate tag keys")
    if len(names) > TAGS_PER_KEY:
        raise refusals.refusal("TagException", "Too many tags")
    _check_reserved(names)
    return {tag["TagKey"]: tag["TagValue"] for tag in tags}


def _check_reserved(names: Iterable[str]) -> None:
    if any(name.lower().startswith("aws:") for name in names):
        raise refusals.refusal("TagException", "Tags beginning with aws: are reserved")
