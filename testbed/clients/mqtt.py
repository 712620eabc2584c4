"""MQTT 3.1.1 (what ActiveMQ speaks) by paho, over TCP or WebSocket. MQTT has topics only."""

import uuid
from time import monotonic
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from testbed.clients import tls
from testbed.clients.base import Address, Destination, Message
from testbed.clients.mailbox import Mailbox
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized, NotConfirmed

_QOS = 1  # at least once: the broker confirms, and so does the subscriber
# Bad user name or password, and not authorised: in MQTT 3.1.1, and in 5, which paho maps them to.
_LOGIN_REFUSED = (4, 5, 134, 135)


class MqttClient:
    """See ``Client``; ``timeout`` is for connecting, in seconds.

    With a ``client_id`` the broker keeps its subscriptions and their messages between connections;
    without one they end with the connection.
    """

    def __init__(self, address: Address, *, timeout: float = 10.0, client_id: str = "") -> None:
        self._address = address
        self._mail = Mailbox()
        self._paho = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id or f"testbed-{uuid.uuid4().hex}",
            clean_session=not client_id,
            protocol=paho.MQTTv311,
            transport="websockets" if address.protocol == "mqtt-ws" else "tcp",
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._paho.username_pw_set(address.username, address.password)
        self._paho.connect_timeout = timeout
        if address.protocol == "mqtt-ws":
            self._paho.ws_set_options(path="/")
        trusted = tls.context(address)
        if trusted is not None:
            self._paho.tls_set_context(trusted)
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_subscribe = lambda client, data, number, codes, properties: self._mail.answer(
            "subscribe", codes
        )
        self._paho.on_message = self._on_message
        login = self._mail.expect("login")
        try:
            self._paho.connect(address.host, address.port)
            self._paho.loop_start()
            self._mail.wait("login", login, timeout, "login")
        except (NotConfirmed, OSError, paho.WebsocketConnectionError) as error:
            self.close()
            raise tls.refusal(address, error) from error
        except BaseException:
            self.close()
            raise

    def publish(self, destination: Destination, body: bytes, *, timeout: float = 10.0) -> None:
        deadline = monotonic() + timeout
        sent = self._paho.publish(_topic(destination), body, qos=_QOS)
        what = f"publish to {destination.name}"
        while not (sent.rc == paho.MQTT_ERR_SUCCESS and sent.is_published()):
            if self._mail.ended is not None:
                raise NotConfirmed(
                    f"{what}: the connection ended first: {self._mail.ended.message}"
                )
            left = deadline - monotonic()
            if left <= 0:
                raise NotConfirmed(f"{what}: no answer within {timeout:g} s")
            if sent.rc == paho.MQTT_ERR_SUCCESS:
                # In short waits: it does not notice the end of the connection.
                sent.wait_for_publish(min(left, 0.2))
            else:
                self._mail.end(ConnectionRefused(paho.error_string(sent.rc)))

    def subscribe(self, destination: Destination) -> None:
        topic = _topic(destination)
        answered = self._mail.expect("subscribe")
        refused, _ = self._paho.subscribe(topic, _QOS)
        if refused:
            raise ConnectionRefused(f"{tls.where(self._address)}: {paho.error_string(refused)}")
        codes = self._mail.wait("subscribe", answered, 10.0, f"subscribe to {destination.name}")
        if any(code.is_failure for code in codes):
            raise NotAuthorized(f"subscribe to {destination.name}: {codes[0]}")

    def receive(self, *, timeout: float = 10.0) -> Message | None:
        return self._mail.receive(timeout)

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()
        self._mail.end(ConnectionRefused("the client is closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # In paho's thread

    def _on_connect(
        self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        if not reason.is_failure:
            self._mail.answer("login")
        elif reason.value in _LOGIN_REFUSED:
            self._mail.answer("login", NotAuthorized(f"{tls.where(self._address)}: {reason}"))
        else:
            self._mail.answer("login", ConnectionRefused(f"{tls.where(self._address)}: {reason}"))

    def _on_disconnect(
        self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        self._mail.end(ConnectionRefused(f"{tls.where(self._address)}: {reason}"))

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        def acknowledge() -> None:
            client.ack(message.mid, message.qos)

        self._mail.deliver(Message(bytes(message.payload), acknowledge, message.dup))


def _topic(destination: Destination) -> str:
    if destination.kind != "topic":
        raise ClientError(f"MQTT has no queues: {destination.name} can only be a topic")
    return destination.name.replace(".", "/")
