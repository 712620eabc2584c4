"""Lists in pages: complete, without doubles, and continued only by their own markers."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed import api_models
from testbed.documented.key_listings import PAGES
from testbed.errors import KmsError
from testbed.kms.base import USER
from testbed.kms.call import KmsCall
from testbed.kms.ledger import Ledger
from testbed.kms.paging import page
from testbed.state.store import State

GARBAGE = ("x", "MTA=", "AAAA", "1:2", "é", "eyJhIjogMX0=", "=" * 1000)


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> KmsCall:
    view = Ledger(State(tmp_path_factory.mktemp("ledger"))).view()
    return KmsCall(USER, "ListKeys", {}, 0, view)


def with_parameters(call: KmsCall, **parameters: Any) -> KmsCall:
    return replace(call, parameters={**call.parameters, **parameters})


def pages(call: KmsCall, items: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    while True:
        answer = page(call, "Keys", items.items())
        yield answer
        if not answer["Truncated"]:
            assert "NextMarker" not in answer
            return
        call = with_parameters(call, Marker=answer["NextMarker"])


@given(st.sets(st.tuples(st.integers(0, 3), st.text(max_size=3))), st.integers(1, 5))
def test_all_pages_together_are_the_list(
    listing: KmsCall, places: set[tuple[int, str]], limit: int
) -> None:
    items = {place: f"item {place}" for place in places}
    answers = list(pages(with_parameters(listing, Limit=limit), items))
    assert [item for answer in answers for item in answer["Keys"]] == [
        items[place] for place in sorted(places)
    ]
    assert all(len(answer["Keys"]) == limit for answer in answers[:-1])


def test_what_is_removed_meanwhile_leaves_the_rest_in_place(listing: KmsCall) -> None:
    call = with_parameters(listing, Limit=2)
    first = page(call, "Keys", [("a", 1), ("b", 2), ("c", 3)])
    rest = page(with_parameters(call, Marker=first["NextMarker"]), "Keys", [("c", 3)])
    assert rest == {"Keys": [3], "Truncated": False}


@pytest.mark.parametrize("marker", GARBAGE)
def test_garbage_is_no_marker(listing: KmsCall, marker: str) -> None:
    with pytest.raises(KmsError, match="^InvalidMarkerException$"):
        page(with_parameters(listing, Marker=marker), "Keys", [("a", 1)])


@pytest.mark.parametrize(
    "change",
    [
        {"operation": "ListAliases"},
        {"caller": replace(USER, account="222222222222")},
        {"parameters": {"KeyId": "another"}},
    ],
)
def test_the_marker_of_another_request_is_none(listing: KmsCall, change: dict[str, Any]) -> None:
    items = [("a", 1), ("b", 2)]
    marker = page(with_parameters(listing, Limit=1), "Keys", items)["NextMarker"]
    assert page(with_parameters(listing, Marker=marker), "Keys", items)["Keys"] == [2], "control"
    other = with_parameters(replace(listing, **change), Marker=marker)
    with pytest.raises(KmsError, match="^InvalidMarkerException$"):
        page(other, "Keys", items)


@pytest.mark.parametrize("operation", PAGES)
def test_the_size_of_a_page(listing: KmsCall, operation: str) -> None:
    usual, most = PAGES[operation]
    items = [(number, number) for number in range(most + 1)]
    call = replace(listing, operation=operation)
    assert len(page(call, "Items", items)["Items"]) == usual
    assert len(page(with_parameters(call, Limit=1000), "Items", items)["Items"]) == most


def test_every_operation_with_pages_is_listed() -> None:
    assert set(PAGES) == {
        name
        for name, model in api_models.operations("kms").items()
        if model.input_shape and "Marker" in model.input_shape.members
    }
