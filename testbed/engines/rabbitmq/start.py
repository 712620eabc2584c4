"""The start of a RabbitMQ node: its name, its Erlang cookie, and the distribution's addresses."""

from testbed.engines.base import NodeSpec

_RUN = "/run/testbed"

# The name is part of the data, so it may not change with the container's. Passing it to the Erlang
# VM itself saves the start of a second one, which would only look for epmd. Schedulers that wait
# busily would waste a laptop's cores. A crash dump would be the broker's memory, outside the
# encrypted volume. RabbitMQ 3 writes a log of upgrades to a file; it may be nowhere else either.
# RabbitMQ does not sync its list of feature flags. After a loss of power it may be empty, and then
# the node does not start any more; without one it does, and finds out which are enabled
# (https://github.com/rabbitmq/rabbitmq-server/issues/4881).
_START = f"""\
umask 077
%(cookie)s
export HOME="$PWD" LANG=C.UTF-8
export RABBITMQ_NODENAME=%(name)s RABBITMQ_MNESIA_BASE="$PWD/node" RABBITMQ_LOGS=-
export RABBITMQ_LOG_BASE="$PWD/log"
export RABBITMQ_CONF_ENV_FILE={_RUN}/etc/none.conf RABBITMQ_CONFIG_FILES={_RUN}/etc/none
export RABBITMQ_CONFIG_FILE={_RUN}/etc/rabbitmq.conf
export RABBITMQ_ADVANCED_CONFIG_FILE={_RUN}/etc/advanced.config
export RABBITMQ_ENABLED_PLUGINS_FILE={_RUN}/etc/enabled_plugins
export ERL_CRASH_DUMP_BYTES=0
[ -s "node/$RABBITMQ_NODENAME-feature_flags" ] || rm -f "node/$RABBITMQ_NODENAME-feature_flags"
%(distribution)s
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="%(arguments)s \\
-kernel inet_dist_listen_min 25672 inet_dist_listen_max 25672 \\
+sbwt none +sbwtdcpu none +sbwtdio none"
exec rabbitmq-server
"""

# A single node makes its cookie, and Erlang's ports stay inside the container's loopback.
_OWN_COOKIE = """\
if [ ! -s .erlang.cookie ]; then
    head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \\n' > .erlang.cookie.new
    chmod 400 .erlang.cookie.new
    mv .erlang.cookie.new .erlang.cookie
fi"""
_SINGLE = {
    "name": "rabbit@localhost",
    "cookie": _OWN_COOKIE,
    "distribution": "export ERL_EPMD_ADDRESS=127.0.0.1",
    "arguments": "-sname rabbit@localhost -kernel inet_dist_use_interface {127,0,0,1}",
}

_COOKIE_FILE = "etc/erlang.cookie"
_SHARED_COOKIE = f"install -m 400 {_RUN}/{_COOKIE_FILE} .erlang.cookie"
_INTER_NODE_TLS_FILE = "etc/inter_node_tls.config"
_INTER_NODE_TLS = (
    "-pa $(echo /usr/lib/erlang/lib/ssl-*/ebin) -proto_dist inet_tls "
    f"-ssl_dist_optfile {_RUN}/{_INTER_NODE_TLS_FILE}"
)
_INTER_NODE_TLS_OPTIONS = f"""\
[{{server, [{{certfile, "{_RUN}/tls/chain.pem"}}, {{keyfile, "{_RUN}/tls/key.pem"}}]}},
 {{client, [{{cacertfile, "{_RUN}/tls/ca.pem"}}, {{verify, verify_peer}}, {{depth, 2}}]}}].
"""


def node_name(hostname: str) -> str:
    """Return a cluster node's name."""
    return f"rabbit@{hostname}"


def script(node: NodeSpec) -> bytes:
    """Return the script that becomes the broker; it runs in the mounted volume."""
    return (_START % (_clustered(node) if node.cluster else _SINGLE)).encode()


def cluster_files(node: NodeSpec) -> dict[str, bytes]:
    """Return the additional files of a cluster's node; none for a single one."""
    if not node.cluster:
        return {}
    files = {_COOKIE_FILE: node.cluster.cookie.encode()}
    if node.cluster.inter_node_tls:
        files[_INTER_NODE_TLS_FILE] = _INTER_NODE_TLS_OPTIONS.encode()
    return files


def _clustered(node: NodeSpec) -> dict[str, str]:
    """Open Erlang's ports in the containers' network, where nodes find each other by name.

    No such port is published.
    """
    assert node.cluster
    inter_node_tls = _INTER_NODE_TLS if node.cluster.inter_node_tls else ""
    return {
        "name": node_name(node.hostname),
        "cookie": _SHARED_COOKIE,
        "distribution": "export RABBITMQ_USE_LONGNAME=true",
        "arguments": f"-name {node_name(node.hostname)} {inter_node_tls}",
    }
