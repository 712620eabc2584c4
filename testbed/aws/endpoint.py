"""The endpoint of a testbed: all services behind one HTTPS address, in a thread of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from testbed.account import known_keys
from testbed.account.authorization import Authorization
from testbed.account.directory import AccessKey
from testbed.account.sessions import Sessions
from testbed.aws import cloudtrail
from testbed.aws.callers import Callers
from testbed.aws.cloudwatch_protocols import AnyProtocol
from testbed.aws.dispatch import Dispatch, Service
from testbed.aws.health import Health
from testbed.aws.iam import Iam, managed_policy
from testbed.aws.json_protocol import JsonService
from testbed.aws.linked_roles import LinkedRoles
from testbed.aws.mq import Mq
from testbed.aws.mq.context import Context
from testbed.aws.neighbours import NeighbourService
from testbed.aws.sts import Sts
from testbed.broker.configurations import Configurations
from testbed.broker.jobs import JobThreads
from testbed.console.site import PATH, Console
from testbed.documented.neighbours import NEIGHBOURS
from testbed.errors import PortTaken
from testbed.https.server import HttpsServer, Request, Response, context
from testbed.kms.base import USER_ACCOUNT
from testbed.runtime import ports
from testbed.runtime.ports import LOOPBACK
from testbed.testbed import Testbed

HOST = "localhost"
_PATIENCE = 20.0  # seconds for operations that have begun when the endpoint ends


_ANY = AccessKey(USER_ACCOUNT, "test")  # any secret does


@dataclass(frozen=True)
class Endpoint:
    """The address, and what a client needs: ``Session().client(name, **endpoint.client())``.

    ``region`` is where such clients act; the others are served as well. ``root_key`` is the root
    user's access key where known keys are required.
    """

    port: int
    ca_file: Path
    region: str
    root_key: AccessKey = _ANY

    @staticmethod
    def of(testbed: Testbed, port: int) -> "Endpoint":
        """Return the endpoint of a testbed that is served at ``port``."""
        key = known_keys.required(testbed.state)
        endpoint = Endpoint(port, testbed.ca_file, testbed.region)
        return replace(endpoint, root_key=key) if key else endpoint

    @property
    def url(self) -> str:
        """The URL of all services."""
        return f"https://{HOST}:{self.port}"

    @property
    def console(self) -> str:
        """The URL of the page that shows the testbed."""
        return f"{self.url}{PATH}"

    def environment(self) -> dict[str, str]:
        """Return the environment for boto3, the AWS CLI and Terraform."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.ca_file),
            "AWS_ACCESS_KEY_ID": self.root_key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.root_key.secret,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }

    def client(self) -> dict[str, str]:
        """Return keyword arguments for ``boto3.client``."""
        return {
            "endpoint_url": self.url,
            "verify": str(self.ca_file),
            "region_name": self.region,
            "aws_access_key_id": self.root_key.access_key_id,
            "aws_secret_access_key": self.root_key.secret,
        }


def _services(testbed: Testbed, jobs: JobThreads) -> dict[str, Service]:
    shared = testbed.services
    authorization = Authorization(shared.identities, testbed.clock)
    backends = shared.backends
    sessions = Sessions(authorization, testbed.clock, partial(managed_policy, backends))
    configurations = Configurations(testbed.state, testbed.clock)
    context = Context(testbed.brokers, configurations, jobs.start)
    neighbours: dict[str, Service] = {
        served.signing_name: NeighbourService(served, testbed, authorization)
        for served in NEIGHBOURS.values()
    }
    neighbours["monitoring"] = AnyProtocol(neighbours["monitoring"], "cloudwatch")
    linked_roles = LinkedRoles(shared.identities, testbed.brokers.peek_all)
    return {
        "kms": JsonService("kms", "TrentService", testbed.kms.call),
        "mq": Mq(context, shared.recorder, authorization),
        "cloudtrail": cloudtrail.service(shared.recorder, authorization),
        "iam": Iam(backends, authorization, shared.recorder, linked_roles),
        "sts": Sts(sessions, shared.recorder),
        **neighbours,
    }


@contextmanager
def serve(testbed: Testbed, *, port: int = 0) -> Iterator[Endpoint]:
    """Serve ``testbed`` for the length of a ``with`` block, at a free port when 0.

    Operations that have begun, as the creation of a broker, get some seconds to finish. Own faults
    are logged as errors. Raises ``PortTaken``.
    """
    jobs = JobThreads()
    callers = Callers(testbed.services.identities, testbed.state, testbed.clock)
    services = _services(testbed, jobs)
    health = Health([*services], lambda: testbed.kms_container.status, testbed.brokers)
    certificate = testbed.authority.issue(names=[HOST, LOOPBACK], region=testbed.region)
    port = port or ports.free(1)[0]
    endpoint = Endpoint.of(testbed, port)
    dispatch = Dispatch(services, callers, health.answer)
    console = Console(testbed, port, endpoint.environment(), endpoint.client())

    def answer(request: Request) -> Response:
        return (console if console.answers(request) else dispatch).answer(request)

    try:
        server = HttpsServer(port, context(certificate, testbed.state.folder), answer)
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
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        jobs.wait(_PATIENCE)
