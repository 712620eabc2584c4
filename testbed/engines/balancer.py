"""The one address in front of a cluster, where Amazon MQ has a Network Load Balancer.

Connections are passed on as they come (TCP, no PROXY protocol): TLS ends in the nodes, and a node
sees the balancer's address. A new connection goes to the next node that answers; those of a node
that has stopped answering are ended, as a Network Load Balancer does by default.
"""

from collections.abc import Iterable, Sequence

from testbed.runtime.images import ImageSpec

IMAGE = ImageSpec("balancer", "balancer")
TMPFS = {"/run/balancer": "mode=1777,size=1m"}  # its container's mount

# Nodes are known by name alone: a container that replaces another has another address. The name
# server is the container's own, whichever engine runs it.
# Connections learn from the kernel within three seconds (keepalive) that a node is gone, and not by
# HAProxy's "on-marked-down shutdown-sessions": with that, 3.0.11 never times out a connection that
# is just being opened to the node, and its client waits until it gives up
# (like https://github.com/haproxy/haproxy/issues/2302).
_COMMON = """\
global
    maxconn 8000
defaults
    mode tcp
    balance roundrobin
    retries 3
    option redispatch 1
    option srvtcpka
    srvtcpka-idle 1s
    srvtcpka-intvl 1s
    srvtcpka-cnt 2
    timeout connect 2s
    timeout check 2s
    timeout client 1h
    timeout server 1h
    default-server check inter 1s fastinter 250ms fall 1 rise 1 tcp-ut 3s
    default-server init-addr none resolvers network
resolvers network
    parse-resolv-conf
    resolve_retries 3
    timeout resolve 1s
    timeout retry 500ms
    hold valid 1s
    hold nx 1s
"""


def configuration(hostnames: Sequence[str], ports: Iterable[int]) -> bytes:
    """Return the input of the balancer's entry point: each port leads to that of the nodes."""
    text = _COMMON
    for port in ports:
        text += f"listen port-{port}\n    bind :{port}\n"
        text += "".join(
            f"    server node-{number} {hostname}:{port}\n"
            for number, hostname in enumerate(hostnames, 1)
        )
    return f"{len(text)}\n{text}".encode()
