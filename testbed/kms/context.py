"""Encryption contexts, compared as pairs.

A context is a set of pairs, bound to the ciphertext as additional authenticated data. LocalStack binds the text that
comes of writing the sorted pairs one after the other, so ``{"a": "bc"}`` opens what ``{"ab": "c"}`` closed. What it is
given here is one pair instead, whose value is the list of pairs in JSON: different contexts, different texts.
"""

import json
from collections.abc import Mapping

# Grant constraints (KMS, "Using grant constraints").
MOST_PAIRS = 8
LONGEST_VALUE = 384  # characters


def bound(context: Mapping[str, str] | None) -> dict[str, str]:
    """The context to give to LocalStack instead of ``context``; none for none, as AWS binds nothing then."""
    return {"pairs": json.dumps(sorted(context.items()), separators=(",", ":"))} if context else {}


def satisfies(
    context: Mapping[str, str] | None, constraints: Mapping[str, Mapping[str, str]]
) -> bool:
    """Whether a request's context is within a grant's constraints; case counts, order does not."""
    given = context or {}
    subset, equals = (
        constraints.get("EncryptionContextSubset"),
        constraints.get("EncryptionContextEquals"),
    )
    return (not subset or subset.items() <= given.items()) and (not equals or equals == given)


def at_least_as_strict(
    child: Mapping[str, Mapping[str, str]], parent: Mapping[str, Mapping[str, str]]
) -> bool:
    """Whether every context within ``child``'s constraints is within ``parent``'s (KMS, "Granting CreateGrant permission").

    Pairs may be added to a subset, and a subset may become an equality that includes it; not the reverse.
    """
    subset, equals = (
        parent.get("EncryptionContextSubset") or {},
        parent.get("EncryptionContextEquals") or {},
    )
    child_subset, child_equals = (
        child.get("EncryptionContextSubset") or {},
        child.get("EncryptionContextEquals") or {},
    )
    return subset.items() <= (child_subset.items() | child_equals.items()) and (
        not equals or child_equals == equals
    )
