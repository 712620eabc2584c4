"""Make the pictures of README.md from a run of the demonstration.

Usage: ``testbed demo --report report | tee demo.txt``, and ``python docs/images/make.py demo.txt``.
Those of the report are made by a test, as is the console's: ``CONSOLE_PICTURES=docs/images
REPORT=report pytest tests/report/test_browser.py tests/console/test_browser.py -k documentation``.
"""

import os
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from testbed.report import charts

HERE = Path(__file__).resolve().parent
COSTS = HERE.parent / "costs.md"
SHOWN = ("RabbitMQ, AMQP 0-9-1 by prepared frames", "ActiveMQ, OpenWire by prepared commands")
STYLE = """
svg { font: 13px system-ui, sans-serif; background: #fff; }
text { fill: #222; } .soft { fill: #57606a; }
.c0 { fill: #1b6ca8; } .c1 { fill: #2e8b57; } .c2 { fill: #c0662a; }
.baseline { stroke: #222; stroke-dasharray: 4 3; } .whisker { display: none; }
"""


def demo(output: str) -> str:
    """Return the demonstration's output up to its table as an SVG of a terminal."""
    lines = ["$ make demo", *output.partition("\nStarted ")[0].splitlines()]
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=max(map(len, lines)) + 1, file=nowhere)
        console.print(Text.from_ansi("\n".join(lines)))
        picture = console.export_svg(title="make demo")
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)  # from the network


def costs(page: str) -> str:
    """Return the cost page's first comparison of each engine, 1 KB durable messages, as bars."""
    drawn = []
    for title in SHOWN:
        table = page.partition(f"**1 KB, durable, confirmed: {title}**")[2]
        rows = re.findall(r"^\| (\w.*?) \| ([\d,]+) \|", table, re.MULTILINE)[:3]
        bars = [charts.Bar(label, *3 * [float(rate.replace(",", ""))]) for label, rate in rows]
        drawn.append((title, charts.bars(title, "msg/s", bars)))
    height = 24 + 236 * len(drawn)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}"><style>{STYLE}']
    parts.append("</style>")
    for number, (title, chart) in enumerate(drawn):
        top = 20 + 236 * number
        parts.append(f'<text x="6" y="{top}" font-weight="600">{title}: 1 KB, durable</text>')
        parts.append(f'<svg x="6" y="{top + 6}" width="708" height="200">{chart}</svg>')
    return "".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    (HERE / "demo.svg").write_text(demo(Path(sys.argv[1]).read_text()))
    (HERE / "costs.svg").write_text(costs(COSTS.read_text()))
