"""`testbed status`: the state of everything."""

from typing import TYPE_CHECKING, Any

from testbed.cli.base import (
    STATE,
    JsonOption,
    StateOption,
    errors_shown,
    existing,
    new_app,
    show,
)

if TYPE_CHECKING:
    from testbed.broker.model import Broker
    from testbed.testbed import Testbed

app = new_app()


@app.command()
def status(state: StateOption = STATE, as_json: JsonOption = False) -> None:
    """Show each broker as DescribeBroker does, and what runs."""
    from testbed.broker.describe import describe
    from testbed.cli.endpoints import find_endpoint
    from testbed.storage import choice

    with errors_shown(as_json), existing(state) as testbed:
        aws = find_endpoint(testbed)
        kms = testbed.kms_container
        document = {
            "folder": str(testbed.state.folder),
            "region": testbed.region,
            "volumes": str(choice.chosen(testbed.state)),
            "aws": aws.url if aws else "",
            "kms": {"url": kms.url, "status": kms.status},
            "brokers": [
                {
                    **describe(broker),
                    "region": broker.region,
                    "runs": broker.runs,
                    "nodes": _nodes(testbed, broker),
                }
                for broker in testbed.brokers.peek_all()
            ],
        }
        show(document, as_json, _render)


def _nodes(testbed: "Testbed", broker: "Broker") -> list[dict[str, Any]]:
    return [
        {
            "name": node.name,
            "container": testbed.containers.state(node.container_id).status,
            "volume": node.volume.volume_id,
            "kind": node.volume.kind,
            "size": node.volume.size,
            "failure": node.failure.reason if node.failure else "",
            "attempts": node.failure.attempts if node.failure else 0,
        }
        for node in broker.nodes
    ]


def _volume(node: dict[str, Any]) -> str:
    size = f", {node['size'] / 2**20:,.0f} MiB" if node["size"] else ""
    return f"{node['kind']}{size}"


def _render(document: dict[str, Any]) -> str:
    lines = [
        f"endpoint   {document['aws'] or 'not running'}",
        f"Region     {document['region']}",
        f"KMS        {document['kms']['status']}  {document['kms']['url']}",
        f"volumes    {document['volumes']}",
    ]
    for broker in document["brokers"]:
        nodes = ", ".join(
            f"node {node['name']} {node['container']} on {node['volume']} ({_volume(node)})"
            for node in broker["nodes"]
        )
        engine = f"{broker['EngineType']} {broker['EngineVersion']}"
        if broker["region"] != document["region"]:
            engine += f" in {broker['region']}"
        lines.append(f"{broker['BrokerName']:<10} {broker['BrokerState']}  {engine}  {nodes}")
        lines.append(f"           runs {broker['runs']}")
        lines.append(f"           key {broker['EncryptionOptions'].get('KmsKeyId', 'of AWS')}")
        lines += [
            f"           {action['ActionRequiredCode']}: {action['ActionRequiredInfo']}"
            for action in broker["ActionsRequired"]
            if "ActionRequiredCode" in action
        ]
        lines += [
            f"           node {node['name']} failed {node['attempts']}x: {node['failure']}"
            for node in broker["nodes"]
            if node["failure"]
        ]
    return "\n".join(lines)
