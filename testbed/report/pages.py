"""Templates of HTML pages, and the pieces that they share under ``report/``."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined

from testbed.report.text import counted, printable


def environment(package: str, folder: str = ".") -> Environment:
    """Return the templates in a folder of a package. What they print is escaped."""
    shared = PrefixLoader({"report": PackageLoader("testbed.report", ".")})
    templates = Environment(
        loader=ChoiceLoader([PackageLoader(package, folder), shared]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # What is printed may contain characters that HTML cannot; the templates do not.
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    templates.filters["counted"] = counted
    return templates
