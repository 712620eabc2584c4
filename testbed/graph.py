"""How brokers depend on keys: key, grant, service, volume, broker. Pure, in rows and columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

COLUMNS = ("key", "grant", "service", "volume", "broker")


@dataclass(frozen=True)
class Item:
    """One of the things that depend on each other. ``sound`` is whether it does its part."""

    identity: str
    title: str
    detail: str = ""
    sound: bool = True


@dataclass(frozen=True)
class Chain:
    """What one grant lets a service do for a broker.

    A grant of a customer's own has no volumes and no broker; an unused key has no grant either.
    """

    key: Item
    grant: Item | None = None
    service: Item | None = None
    volumes: tuple[Item, ...] = ()
    broker: Item | None = None


@dataclass(frozen=True)
class Dependencies:
    """Chains at one moment; ``subject`` says of what."""

    subject: str
    chains: tuple[Chain, ...]


@dataclass(frozen=True)
class Box:
    """An item at its place; rows may lie half-way between two others."""

    item: Item
    column: int
    row: float


@dataclass(frozen=True)
class Edge:
    """A connection of two boxes. It is ``broken`` if what comes before it does not work."""

    start: Box
    end: Box
    broken: bool


@dataclass(frozen=True)
class Graph:
    """Boxes and edges on ``rows`` rows."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    rows: int


def lay_out(chains: Iterable[Chain]) -> Graph:
    """Return the graph of ``chains``, those of one key and of one broker side by side."""
    layout = _Layout()
    by_key: dict[str, dict[str, list[Chain]]] = {}
    for chain in chains:
        of_key = by_key.setdefault(chain.key.identity, {})
        of_key.setdefault(chain.broker.identity if chain.broker else "", []).append(chain)
    for of_key in by_key.values():
        begin = layout.rows
        key = next(iter(of_key.values()))[0].key
        grants = [grant for band in of_key.values() for grant in layout.add_band(band)]
        layout.rows = max(layout.rows, begin + 1)
        box = layout.put(key, 0, begin, layout.rows)
        for grant in grants:
            layout.join(box, grant)
    return Graph(tuple(layout.boxes), tuple(layout.edges), layout.rows)


class _Layout:
    """A graph that grows band by band: a broker's chains, or the other grants of a key."""

    def __init__(self) -> None:
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []
        self.rows = 0

    def put(self, item: Item, column: int, begin: int, end: int) -> Box:
        """Add a box in the middle of the rows from ``begin`` to before ``end``."""
        box = Box(item, column, (begin + end - 1) / 2)
        self.boxes.append(box)
        return box

    def join(self, start: Box, end: Box, *, broken: bool = False) -> None:
        self.edges.append(Edge(start, end, broken or not start.item.sound))

    def add_band(self, chains: Sequence[Chain]) -> list[Box]:
        """Add the chains of one broker and return the boxes of their grants."""
        volumes = {volume.identity: volume for chain in chains for volume in chain.volumes}
        granted = [chain for chain in chains if chain.grant]
        begin, size = self.rows, max(len(granted), len(volumes))
        self.rows += size
        places = self._spread(volumes.values(), 3, begin, size)
        grants = {}
        for row, chain in enumerate(granted, begin):
            assert chain.grant
            grants[chain.grant.identity] = self.put(chain.grant, 1, row, row + 1)
        self._add_services(granted, grants, places)
        if broker := next((chain.broker for chain in chains if chain.broker), None):
            box = self.put(broker, 4, begin, begin + size)
            for place in places.values():
                self.join(place, box)
        return list(grants.values())

    def _spread(self, items: Iterable[Item], column: int, begin: int, size: int) -> dict[str, Box]:
        """Add boxes to a column, around the middle of a band."""
        items = list(items)
        first = begin + (size - len(items)) / 2
        boxes = [Box(item, column, first + place) for place, item in enumerate(items)]
        self.boxes += boxes
        return {box.item.identity: box for box in boxes}

    def _add_services(
        self, chains: Sequence[Chain], grants: dict[str, Box], volumes: dict[str, Box]
    ) -> None:
        """Add each service between its grants and the volumes that these are for."""
        services = {chain.service.identity: chain.service for chain in chains if chain.service}
        for service in services.values():
            own = [chain for chain in chains if chain.service == service]
            rows = [(grants[chain.grant.identity], chain.key) for chain in own if chain.grant]
            box = Box(service, 2, sum(grant.row for grant, _ in rows) / len(rows))
            self.boxes.append(box)
            for grant, key in rows:
                self.join(grant, box, broken=not key.sound)
            for identity in dict.fromkeys(v.identity for chain in own for v in chain.volumes):
                of_volume = [c for c in own if identity in [v.identity for v in c.volumes]]
                broken = not all(
                    c.key.sound and c.grant is not None and c.grant.sound for c in of_volume
                )
                self.join(box, volumes[identity], broken=broken)
