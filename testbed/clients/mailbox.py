"""Hands results from a library's network thread to the thread that calls the client."""

import threading
from collections import deque
from collections.abc import Hashable
from concurrent.futures import Future
from time import monotonic
from typing import Any

from testbed.clients.base import Message
from testbed.errors import ClientError, ConnectionRefused, NotConfirmed


class Mailbox:
    """Answers by key, messages in order, and the end of the connection."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._awaited: dict[Hashable, Future[Any]] = {}
        self._messages: deque[Message] = deque()
        self._end: ClientError | None = None

    # Called by the network thread

    def answer(self, key: Hashable, result: Any = None) -> None:
        """Complete the wait for ``key``; an exception as ``result`` is raised there.

        Unknown keys are dropped: their answers are late.
        """
        with self._changed:
            future = self._awaited.pop(key, None)
        if future and isinstance(result, Exception):
            future.set_exception(result)
        elif future:
            future.set_result(result)

    def deliver(self, message: Message) -> None:
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def end(self, error: ClientError) -> None:
        """Record that the connection has ended, and fail every wait. The first reason counts."""
        with self._changed:
            self._end = self._end or error
            awaited, self._awaited = self._awaited, {}
            self._changed.notify_all()
        for future in awaited.values():
            future.set_exception(self._end)

    # Called by the client's thread

    @property
    def ended(self) -> ClientError | None:
        return self._end

    def expect(self, key: Hashable) -> "Future[Any]":
        """Prepare to wait for ``key``. Call it before the request that causes the answer."""
        future: Future[Any] = Future()
        with self._changed:
            if self._end is None:
                self._awaited[key] = future
            else:
                future.set_exception(self._end)
        return future

    def wait(self, key: Hashable, future: "Future[Any]", timeout: float, what: str) -> Any:
        """Return the answer.

        Raises ``NotConfirmed`` after ``timeout`` seconds, or when the connection ended first.
        """
        try:
            return future.result(timeout)
        except TimeoutError:
            with self._changed:
                self._awaited.pop(key, None)
            raise NotConfirmed(f"{what}: no answer within {timeout:g} s") from None
        except ConnectionRefused as error:
            raise NotConfirmed(f"{what}: the connection ended first: {error.message}") from error

    def receive(self, timeout: float) -> Message | None:
        """Return the next message, or None after ``timeout`` seconds.

        Raises the error that ended the connection.
        """
        deadline = monotonic() + timeout
        with self._changed:
            while not self._messages:
                if self._end is not None:
                    raise self._end
                left = deadline - monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)
            return self._messages.popleft()
