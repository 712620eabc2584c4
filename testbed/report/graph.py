"""A graph of keys and brokers as a picture: its size and places in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

from testbed.graph import COLUMNS, Chain, Graph, lay_out

_WIDTH, _HEIGHT, _GAP, _ROW, _TOP = 176, 40, 44, 52, 28


@dataclass(frozen=True)
class Sketch:
    """A graph's size and places in pixels."""

    chains: tuple[Chain, ...]
    graph: Graph
    columns: tuple[str, ...] = COLUMNS
    box_width: int = _WIDTH
    box_height: int = _HEIGHT

    @property
    def width(self) -> int:
        return len(COLUMNS) * _WIDTH + (len(COLUMNS) - 1) * _GAP

    @property
    def height(self) -> int:
        return _TOP + self.graph.rows * _ROW

    def x(self, column: int) -> int:
        return column * (_WIDTH + _GAP)

    def y(self, row: float) -> float:
        return _TOP + row * _ROW


def sketch(chains: Sequence[Chain]) -> Sketch:
    """Return the picture of ``chains``."""
    return Sketch(tuple(chains), lay_out(chains))
