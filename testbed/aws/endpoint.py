"""The endpoint of a testbed: all services behind one HTTPS address, in a thread of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.aws import cloudtrail, https
from testbed.aws.dispatch import Dispatch, Service
from testbed.aws.json_protocol import JsonService
from testbed.aws.mq import Mq
from testbed.aws.mq.context import Context
from testbed.aws.sts import Sts
from testbed.broker.configurations import Configurations
from testbed.broker.jobs import JobThreads
from testbed.errors import PortTaken
from testbed.kms.base import USER_ACCOUNT
from testbed.runtime import ports
from testbed.runtime.ports import LOOPBACK
from testbed.testbed import Testbed

HOST = "localhost"
_PATIENCE = 20.0  # seconds for operations that have begun when the endpoint ends


@dataclass(frozen=True)
class Endpoint:
    """The address, and what a client needs: ``Session().client(name, **endpoint.client())``.

    ``region`` is where such clients act; the others are served as well.
    """

    port: int
    ca_file: Path
    region: str

    @property
    def url(self) -> str:
        """The URL of all services."""
        return f"https://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return the environment for boto3, the AWS CLI and Terraform."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.ca_file),
            "AWS_ACCESS_KEY_ID": USER_ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }

    def client(self) -> dict[str, str]:
        """Return keyword arguments for ``boto3.client``."""
        return {
            "endpoint_url": self.url,
            "verify": str(self.ca_file),
            "region_name": self.region,
            "aws_access_key_id": USER_ACCOUNT,
            "aws_secret_access_key": "test",
        }


@contextmanager
def serve(testbed: Testbed, *, port: int = 0) -> Iterator[Endpoint]:
    """Serve ``testbed`` for the length of a ``with`` block, at a free port when 0.

    Operations that have begun, as the creation of a broker, get some seconds to finish. Own faults
    are logged as errors. Raises ``PortTaken``.
    """
    jobs = JobThreads()
    configurations = Configurations(testbed.state, testbed.clock)
    services: dict[str, Service] = {
        "kms": JsonService("kms", "TrentService", testbed.kms.call),
        "mq": Mq(Context(testbed.brokers, configurations, jobs.start), testbed.services.recorder),
        "cloudtrail": cloudtrail.service(testbed.trail),
        "sts": Sts(),
    }
    certificate = testbed.authority.issue(names=[HOST, LOOPBACK], region=testbed.region)
    try:
        server = https.HttpsServer(
            port or ports.free(1)[0],
            https.context(certificate, testbed.state.folder),
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
        yield Endpoint(server.server_port, testbed.ca_file, testbed.region)
    finally:
        server.shutdown()
        server.server_close()
        jobs.wait(_PATIENCE)
