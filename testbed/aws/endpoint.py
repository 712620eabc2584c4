"""The endpoint of a testbed: all services behind one HTTPS address, in a thread of this process."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.aws import cloudtrail, https, kms
from testbed.aws.dispatch import Dispatch
from testbed.aws.mq import Mq
from testbed.aws.mq.room import Room
from testbed.aws.sts import Sts
from testbed.documented.engines import REGION
from testbed.errors import NotFoundException, PortTaken
from testbed.kms.base import USER_ACCOUNT
from testbed.runtime import ports
from testbed.runtime.ports import LOOPBACK
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

HOST = "localhost"
_PATIENCE = 20.0  # seconds that what is under way gets when the endpoint is taken down


@dataclass(frozen=True)
class Endpoint:
    """Where it is, and what a client needs: ``Session().client(name, **endpoint.client())``."""

    port: int
    ca_file: Path

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """For boto3, the AWS CLI and Terraform."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.ca_file),
            "AWS_ACCESS_KEY_ID": USER_ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    def client(self) -> dict[str, str]:
        """Keyword arguments of ``boto3.client``."""
        return {
            "endpoint_url": self.url,
            "verify": str(self.ca_file),
            "region_name": REGION,
            "aws_access_key_id": USER_ACCOUNT,
            "aws_secret_access_key": "test",
        }


@contextmanager
def serve(testbed: Testbed, *, port: int = 0) -> Iterator[Endpoint]:
    """The endpoint of ``testbed`` for the length of a ``with`` block, at a free port when 0.

    What was begun through it (a broker's creation, say) has some seconds to come to its end afterwards. Faults of
    this side are logged as errors. Raises ``PortTaken``.
    """
    work = Work(testbed)
    services = {
        "kms": kms.service(testbed.kms),
        "mq": Mq(
            Room(testbed.brokers, testbed.state, testbed.clock, work.finish),
            testbed.services.recorder,
        ),
        "cloudtrail": cloudtrail.service(testbed.trail),
        "sts": Sts(),
    }
    certificate = testbed.authority.issue(names=[HOST, LOOPBACK])
    try:
        server = https.HttpsServer(
            port or ports.free(1)[0],
            https.context(certificate),
            Dispatch(services).answer,
        )
    except OSError as error:
        raise PortTaken(
            f"The endpoint's port {port} cannot be opened: {error}.",
            hint="Name another one, or none.",
        ) from error
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="endpoint", daemon=True
    )
    thread.start()
    try:
        yield Endpoint(server.server_port, testbed.ca_file)
    finally:
        server.shutdown()
        server.server_close()
        work.wait(_PATIENCE)


class Work:
    """What goes on behind answers that were given already."""

    def __init__(self, testbed: Testbed) -> None:
        self._brokers = testbed.brokers
        self._threads: list[threading.Thread] = []
        self._guard = threading.Lock()

    def finish(self, broker_id: str) -> None:
        """Bring to its end what the broker is in the middle of. Errors are logged: nobody waits for them."""
        thread = threading.Thread(
            target=self._finish, args=(broker_id,), name=f"finish {broker_id}", daemon=True
        )
        with self._guard:
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
            thread.start()

    def wait(self, patience: float) -> None:
        with self._guard:
            threads = list(self._threads)
        for thread in threads:
            thread.join(patience)

    def _finish(self, broker_id: str) -> None:
        try:
            self._brokers.finish(broker_id)
        except NotFoundException:  # deleted meanwhile
            pass
        except Exception as error:  # noqa: BLE001 - see above
            logger.error("%s: %s: %s", broker_id, type(error).__name__, error)  # noqa: TRY400
