"""testcontainers' classes as the testbed uses them, which leave the user's own settings alone."""

import os
import subprocess
import sys

import docker
import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.labels import LABEL_SESSION_ID
from testcontainers.core.network import Network

from testbed.runtime.adapters import EngineContainer, EngineNetwork
from testbed.runtime.containers import Containers, ContainerSpec

# Everything that imports could change: the environment, testcontainers' settings, handlers of
# signals and of other libraries' loggers.
_IMPORTS = """
import importlib, logging, os, pkgutil, signal
from testcontainers.core.config import testcontainers_config

def state():
    names = (None, "pika", "proton", "docker", "stomp.py")
    loggers = [logging.getLogger(name) for name in names]
    return (
        dict(os.environ),
        testcontainers_config.ryuk_disabled,  # read first: it is cached in what follows
        repr(testcontainers_config),
        [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)],
        [(logger.level, [h for h in logger.handlers if type(h) is not logging.NullHandler])
         for logger in loggers],
    )

before = state()
import testbed
for module in pkgutil.walk_packages(testbed.__path__, "testbed."):
    if not module.name.startswith(("testbed.bench", "testbed._data")):
        importlib.import_module(module.name)
after = state()
assert after == before, (before, after)
print("unchanged")
"""


def test_importing_the_testbed_changes_no_setting_of_the_user() -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TESTCONTAINERS")
    }
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.stdout == "unchanged\n", done.stderr


@pytest.mark.containers
def test_running_a_container_changes_no_setting_of_the_user(
    containers: Containers, idle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the engine is found without DOCKER_HOST, and the user's reaper is on."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", False)
    environment, settings = dict(os.environ), repr(testcontainers_config)
    spec = ContainerSpec(f"testbed-{containers.instance}-a", idle, "test")
    identity = containers.run(spec)
    assert containers.execute(identity, ["echo", "hello"]) == (0, b"hello\n")
    labels = containers.inspect(identity)["Config"]["Labels"]
    containers.remove(identity)
    assert LABEL_SESSION_ID not in labels, "the user's reaper would remove it"
    assert dict(os.environ) == environment
    assert repr(testcontainers_config) == settings
    assert not testcontainers_config.ryuk_disabled


@pytest.mark.containers
def test_our_classes_have_all_attributes_of_their_bases(client: docker.DockerClient) -> None:
    """They do not call their bases' constructors, which a new release may change."""
    container = DockerContainer("image", docker_client_kw={"environment": {}})
    container.get_docker_client().client.close()
    assert vars(EngineContainer(client, "image")).keys() == vars(container).keys()
    network = Network()
    network._docker.client.close()
    assert vars(EngineNetwork(client, "name", {})).keys() == vars(network).keys()
