"""Containers as a Compose file."""

from dataclasses import replace
from typing import Any

import yaml

from testbed.runtime.compose import Service, render
from testbed.runtime.containers import ContainerSpec

NODE = ContainerSpec(
    name="testbed-1-node",
    image="an/image:1",
    role="broker",
    ports=((20001, 5671), (20002, 15671)),
    volumes={"orders.1": "/volume"},
    tmpfs={"/data": "mode=0755,size=1m"},
    aliases=("node.example",),
    mounts="fuse",
)
FRONT = replace(NODE, volumes={}, tmpfs={}, mounts="", ports=((20003, 443),))


def rendered(*services: Service) -> Any:
    return yaml.safe_load(render("", services))


def test_a_node_is_what_the_testbed_runs_with_its_input_as_a_file() -> None:
    document = rendered(Service("orders.1", NODE, "secrets/orders.1", (5671, 15671)))
    health = document["services"]["orders.1"].pop("healthcheck")
    assert document == {
        "services": {
            "orders.1": {
                "image": "an/image:1",
                "entrypoint": [
                    "/bin/sh",
                    "-c",
                    "exec /usr/local/bin/testbed-enter </run/secrets/input",
                ],
                "secrets": [{"source": "orders.1", "target": "input"}],
                "ports": [
                    "127.0.0.1:${ORDERS_1_5671:-20001}:5671",
                    "127.0.0.1:${ORDERS_1_15671:-20002}:15671",
                ],
                "networks": {"default": {"aliases": ["node.example"]}},
                "volumes": ["orders.1:/volume"],
                "tmpfs": ["/data:mode=0755,size=1m"],
                "devices": ["/dev/fuse:/dev/fuse"],
                "cap_add": ["SYS_ADMIN"],
                "security_opt": ["apparmor=unconfined"],
                "stop_grace_period": "20s",
            }
        },
        "volumes": {"orders.1": {}},
        "secrets": {"orders.1": {"file": "./secrets/orders.1"}},
    }
    assert all(f"':{port} .* 0A '" in health["test"][1] for port in ("1627", "3D37"))


def test_what_comes_after_others_waits_for_their_health_and_has_no_privileges() -> None:
    document = rendered(
        Service("orders.1", NODE, "a", (5671,)),
        Service("orders", FRONT, "b", after=("orders.1",)),
    )
    front = document["services"]["orders"]
    assert front["depends_on"] == {"orders.1": {"condition": "service_healthy"}}
    assert (front["cap_drop"], front["security_opt"]) == (["ALL"], ["no-new-privileges"])
    assert not {"devices", "cap_add", "volumes", "tmpfs"} & front.keys()


def test_a_block_volume_has_loop_devices() -> None:
    node = rendered(Service("orders", replace(NODE, mounts="loop"), "a"))["services"]["orders"]
    assert node["devices"] == ["/dev/loop-control:/dev/loop-control"]
    assert node["device_cgroup_rules"] == ["b 7:* rwm"]


def test_nodes_of_which_one_is_a_standby_have_no_health() -> None:
    services = [Service(name, NODE, name) for name in ("pair.1", "pair.2")]
    document = rendered(*services)
    assert document["volumes"] == {"orders.1": {}}, "shared"
    assert all("healthcheck" not in service for service in document["services"].values())


def test_the_head_is_a_comment() -> None:
    assert render("One.\n\nTwo: three", [Service("a", NODE, "a")]).startswith(
        "# One.\n#\n# Two: three\nservices:\n"
    )
