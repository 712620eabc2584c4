"""The graph's places: nothing lies on anything else, and what is broken shows as broken."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from testbed.graph import Chain, Item, lay_out

KEY = Item("key", "key")
SERVICE = Item("mq", "mq")


def cluster(name: str, *, key: Item = KEY, ended: int = -1) -> list[Chain]:
    """Return the chains of a cluster of three nodes."""
    broker = Item(name, name)
    volumes = tuple(Item(f"{name}-vol-{n}", "vol") for n in range(3))
    grants = [Item(f"{name}-grant-{n}", "grant", sound=n != ended) for n in range(4)]
    return [
        Chain(key, grants[0], SERVICE, volumes, broker),
        *(
            Chain(key, grant, SERVICE, (volume,), broker)
            for grant, volume in zip(grants[1:], volumes, strict=True)
        ),
    ]


def test_a_cluster_has_a_box_for_everything_once() -> None:
    graph = lay_out(cluster("orders"))
    columns = [box.column for box in graph.boxes]
    assert [columns.count(column) for column in range(5)] == [1, 4, 1, 3, 1]
    assert len(graph.edges) == 4 + 4 + 3 + 3
    assert not [edge for edge in graph.edges if edge.broken]


def test_an_ended_grant_breaks_the_way_to_its_volume() -> None:
    graph = lay_out(cluster("orders", ended=2))
    broken = {(e.start.item.identity, e.end.item.identity) for e in graph.edges if e.broken}
    assert broken == {("orders-grant-2", "mq"), ("mq", "orders-vol-1")}


def test_an_unusable_key_breaks_every_way_from_it() -> None:
    graph = lay_out(cluster("orders", key=Item("key", "key", "Disabled", sound=False)))
    assert {e.broken for e in graph.edges if e.end.column < 4} == {True}
    assert {e.broken for e in graph.edges if e.end.column == 4} == {False}


def test_a_key_without_grants_is_alone() -> None:
    graph = lay_out([Chain(KEY)])
    assert [(box.column, box.row) for box in graph.boxes] == [(0, 0.0)]
    assert graph.rows == 1


_ITEMS = st.integers(0, 4)
_CHAINS = st.lists(
    st.builds(
        lambda key, grant, volumes, broker: Chain(
            Item(f"k{key}", ""),
            Item(f"k{key}g{grant}", ""),
            SERVICE,
            tuple(Item(f"b{key}{broker}v{volume}", "") for volume in sorted(set(volumes))),
            Item(f"b{key}{broker}", ""),
        ),
        _ITEMS,
        st.uuids(),
        st.lists(_ITEMS, min_size=1, max_size=3),
        _ITEMS,
    ),
    max_size=12,
)


@given(_CHAINS)
def test_boxes_never_overlap_and_stay_inside(chains: list[Chain]) -> None:
    graph = lay_out(chains)
    for box in graph.boxes:
        assert 0 <= box.row <= graph.rows - 1
    for column in (0, 1, 3, 4):
        rows = sorted(box.row for box in graph.boxes if box.column == column)
        assert all(after - before >= 1 for before, after in pairwise(rows))
