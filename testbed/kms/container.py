"""The container that LocalStack runs in: started in the background, or joined where it runs."""

import logging
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

from testbed.errors import ContainerFailed, Interrupted, KmsError, TestbedError
from testbed.kms.localstack import LocalStackKms
from testbed.runtime import images
from testbed.runtime.containers import Containers, ContainerSpec
from testbed.runtime.ports import LOOPBACK
from testbed.runtime.tasks import Task
from testbed.state import holds
from testbed.state.locks import hold_lock
from testbed.state.store import State

logger = logging.getLogger(__name__)

LOCALSTACK_PORT = 4566  # LocalStack's own
_FOLDER = "/var/lib/testbed-kms"
_KIND, _ID = "settings", "kms-container"  # its image, and the port that it was started with
_ENDED = ("exited", "dead")


class KmsContainer:
    """LocalStack's container of one testbed, published at ``port`` of 127.0.0.1.

    A lock in the folder of ``state`` keeps two commands from starting it twice. ``stopping`` ends
    every wait. Call ``start`` or ``join`` first.
    """

    def __init__(
        self, containers: Containers, state: State, port: int, stopping: threading.Event
    ) -> None:
        self._containers, self._state, self._port = containers, state, port
        self._stopping = stopping
        self._task: Task[None] | None = None

    @property
    def url(self) -> str:
        """LocalStack's own address, behind everything that the testbed decides itself."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def status(self) -> str:
        """Docker's word for the container's state, or ``missing``."""
        return next((row["status"] for row in self._containers.find("kms")), "missing")

    def start(self, image: str = "", *, by_fault: bool = False) -> None:
        """Start the container in a thread unless it runs, or a fault holds it.

        ``by_fault``: that fault itself starts it. ``image`` names a LocalStack image of the user's;
        by default it is the one that ran before. Where another one runs, ``wait_until_ready`` says
        so.
        """
        self._task = Task(partial(self._start, image, by_fault=by_fault))

    def recover(self) -> None:
        """Start the container again, with its keys, if it has ended and no fault holds it."""
        if holds.is_held(self._state, holds.KMS):
            return
        if self.status in _ENDED and self._task and self._task.wait(0):
            logger.info("KMS has ended: starting it again")
            self.start()

    def join(self) -> None:
        """Use the container if it runs, and start nothing."""
        self._task = Task(self._require_running)

    def wait_until_ready(self) -> None:
        """Return when KMS answers. Raises what kept it from starting, at each call.

        One that had not answered in time, or did not run when it was joined, is asked again.
        """
        if self._task is None:
            raise RuntimeError("neither started nor joined")
        try:
            self._task.result()
        except KmsError:
            self._require_running()
            LocalStackKms(self.url).wait_until_answering(0.0)

    def wait_until_given_up(self, patience: float) -> None:
        """Wait until the start has ended, for ``patience`` seconds at most.

        What it has requested of the engine would otherwise appear after a removal.
        """
        if self._task is not None:
            self._task.wait(patience)

    def _start(self, image: str, *, by_fault: bool) -> None:
        with hold_lock(self._state.folder, "kms", self._stopping):
            if not by_fault and holds.is_held(self._state, holds.KMS):
                return  # calls fail as they do for those who were here before
            before = self._state.get(_KIND, _ID) or {}
            if self.status == "running" and before.get("port") == self._port:
                _require_image(image, before.get("image", ""))
            else:
                self._require_keys(before)
                image = image or before.get("image", "")
                spec = images.own_kms(image) if image else images.KMS
                build = Task(partial(self._containers.ensure_image, spec))
                self._run(build.result(self._stopping))
                self._state.put(_KIND, _ID, {"image": image, "port": self._port})
        LocalStackKms(self.url).wait_until_answering(still_alive=self._require_alive)

    @property
    def name(self) -> str:
        """The name of the container, and of the volume with the keys."""
        return f"testbed-{self._containers.instance}-kms"

    def _require_keys(self, before: Mapping[str, Any]) -> None:
        if before and not self._containers.has_volume(self.name):
            raise ContainerFailed(
                f"KMS's volume {self.name} is gone, and with it all keys.",
                hint="The brokers' data cannot be opened any more. `testbed down` removes what is "
                "left; `testbed up` starts anew.",
            )

    def _run(self, tag: str) -> None:
        logger.info("KMS: starting")
        for row in self._containers.find("kms"):
            self._containers.remove(row["id"])
        self._containers.create_volume(self.name)
        self._containers.run(
            ContainerSpec(
                name=self.name,
                image=tag,
                role="kms",
                apart=True,  # LocalStack checks nothing: brokers must not reach it
                ports=((self._port, LOCALSTACK_PORT),),
                volumes={self.name: _FOLDER},
            )
        )

    def _require_running(self) -> None:
        if self.status != "running":
            raise KmsError(
                "KMS is not running.",
                code="KMSInternalException",
                status=500,
                hint="`testbed up` starts it again with its keys.",
            )

    def _require_alive(self) -> None:
        if self._stopping.is_set():
            raise Interrupted("The start of KMS was interrupted.")
        for row in self._containers.find("kms"):
            if row["status"] not in ("running", "created"):
                raise ContainerFailed(
                    f"KMS stopped while starting: {self._containers.last_words(row['id'])}",
                    hint="`testbed down` removes it with all its keys; `testbed up` starts anew.",
                )


def _require_image(wanted: str, running: str) -> None:
    if wanted not in ("", running):
        raise TestbedError(
            f"KMS is already running, with {running or 'an image of the testbed'}, not {wanted}.",
            hint="After `testbed stop`, it starts with the other image and keeps its keys.",
        )
