"""Numbers as every rendering writes them."""


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with as many digits as mean something."""
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def dash(value: float | None) -> str:
    """Return a number, or a dash if it was not measured."""
    return "-" if value is None else number(value)


def unit(*, connecting: bool) -> str:
    """Return the unit of a throughput."""
    return "connections/s" if connecting else "msg/s"
