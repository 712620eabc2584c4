"""`testbed endpoints`: where clients and AWS tools connect."""

from dataclasses import asdict
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
    from testbed.aws.endpoint import Endpoint
    from testbed.broker.model import Broker
    from testbed.testbed import Testbed

VERSIONS_PAGE = "docs/rabbitmq-versions.md"

app = new_app()


@app.command()
def endpoints(state: StateOption = STATE, as_json: JsonOption = False) -> None:
    """Show where clients connect, as whom, and which CA to trust."""
    with errors_shown(as_json), existing(state) as testbed:
        show(describe_endpoints(testbed), as_json, render_endpoints)


def find_endpoint(testbed: "Testbed") -> "Endpoint | None":
    """Return the endpoint for AWS tools, or None when it does not run."""
    from testbed.aws.endpoint import Endpoint
    from testbed.daemon import process

    server = process.find(testbed.state.folder)
    if not server or not server.port:
        return None
    return Endpoint.of(testbed, server.port)


def describe_endpoints(testbed: "Testbed") -> dict[str, Any]:
    """Return the endpoints of all brokers and of AWS's services, as a JSON document."""
    aws = find_endpoint(testbed)
    return {
        "ca_file": str(testbed.ca_file),
        "aws": aws.url if aws else "",
        "console": aws.console if aws else "",
        "region": testbed.region,
        "network": testbed.containers.network,
        "brokers": [describe_broker(broker) for broker in testbed.brokers.peek_all()],
    }


def describe_broker(broker: "Broker") -> dict[str, Any]:
    """Return what runs, what that does otherwise than the service's, and the endpoints."""
    from testbed.broker import topology
    from testbed.engines.all import ENGINES

    differences = ENGINES[broker.engine_type].differences(broker.engine_version)
    return {
        "name": broker.broker_name,
        "region": broker.region,
        "engine": f"{broker.engine_type} {broker.runs}",
        "differences": list(map(asdict, differences)) if broker.running_version else [],
        "username": broker.users[0].username,
        "endpoints": [
            {
                "url": endpoint.url,
                "inside_url": topology.inside_url(broker, instance, endpoint),
                "protocols": list(endpoint.protocols),
                "documented_port": endpoint.documented_port,
            }
            for instance in broker.instances
            for endpoint in instance.endpoints
            if endpoint.tls
        ],
    }


def render_endpoints(document: dict[str, Any]) -> str:
    """Render what ``describe_endpoints`` returns as text."""
    lines = []
    if document["aws"]:
        services = "KMS, Amazon MQ, CloudTrail, IAM and STS"
        lines.append(f"AWS tools  {document['aws']}  {services} (settings: testbed env)")
        lines.append(f"Console    {document['console']}  in a browser that trusts the CA")
        lines.append(f"Region     {document['region']}, and all others of AWS's")
    for broker in document["brokers"]:
        user = f"user {broker['username']} (its password: testbed env)"
        region = f" in {broker['region']}" if broker["region"] != document["region"] else ""
        lines.append(f"{broker['name']}{region}  {broker['engine']}, {user}")
        for endpoint in broker["endpoints"]:
            protocols = " and ".join(endpoint["protocols"])
            port = f"(documented port {endpoint['documented_port']})"
            lines.append(f"  {endpoint['url']:<32} {protocols} {port}")
        if broker["differences"]:
            lines.append(f"  What differs from the service's version: {VERSIONS_PAGE}")
        first = broker["endpoints"][0]["documented_port"]
        inside = ", ".join(
            endpoint["inside_url"]
            for endpoint in broker["endpoints"]
            if endpoint["documented_port"] == first
        )
        lines.append(f"  From brokers and containers in {document['network']}: {inside}")
    lines.append(f"Clients trust {document['ca_file']}")
    return "\n".join(lines)
