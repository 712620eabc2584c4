"""The pages of ``docs/clients``: the code that they show, and the errors that they name."""

import re
from pathlib import Path

from testbed.client_setup.clients import CLIENTS, Client
from testbed.client_setup.formats import failover
from testbed.client_setup.settings import with_credentials

FOLDER = Path(__file__).parents[2] / "docs" / "clients"
_SECTION = re.compile(r"^## (\S+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ERROR = re.compile(r"Without the CA: `([^`]+)`")


def sections() -> dict[str, str]:
    """Return the section of each client."""
    pages = (path.read_text() for path in sorted(FOLDER.glob("*.md")))
    return {
        name: text for page in pages for name, text in _SECTION.findall(page) if name in CLIENTS
    }


def code(name: str) -> str:
    """Return the code that a client's section shows."""
    return str(_CODE.findall(sections()[name])[0])


def prose(name: str) -> tuple[str, str]:
    """Return what stands before and after a client's code."""
    before, _, after = _CODE.split(sections()[name], maxsplit=1)
    return before, after


def error(name: str) -> str:
    """Return the text by which the page says that a client complains about the authority."""
    return str(_ERROR.findall(sections()[name])[0])


def values(
    client: Client,
    host: str = "localhost",
    port: int = 40123,
    *,
    username: str = "testbed",
    password: str = "PASSWORD",
    folder: Path = Path("/home/me/.testbed"),
) -> dict[str, str | int]:
    """Return what stands in a client's code; by default what stands on the pages."""
    url = f"{client.scheme}://{host}:{port}"
    return {
        "host": host,
        "port": port,
        "username": username,
        "password": password,
        "url": url,
        "login_url": with_credentials(url, username, password),
        "failover": failover((url,)),
        "address": "greetings",
        "ca_file": str(folder / "ca.pem"),
        "truststore": str(folder / "truststore.p12"),
        "truststore_password": "changeit",
    }
