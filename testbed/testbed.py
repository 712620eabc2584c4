"""A testbed: the engine, KMS, the authority and the brokers of one state folder.

Every command and every test begins with a ``Testbed``, which joins what the folder has and starts
what is missing.
"""

import logging
import secrets
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from testbed.account import chosen_services, known_keys
from testbed.broker import default_broker
from testbed.broker import strict_names as strict
from testbed.broker.default_broker import NAMES, USERNAME, DefaultBrokerOptions, new_password
from testbed.broker.encryption import EncryptionOptions
from testbed.broker.model import Broker
from testbed.broker.requests import CreateBroker
from testbed.broker.service import Brokers
from testbed.controls import Controls
from testbed.default_region import checked
from testbed.engines.base import Defects, NetworkConnector, User
from testbed.errors import EngineUnavailable
from testbed.kms.base import Caller, root
from testbed.kms.container import KmsContainer
from testbed.runtime import engine
from testbed.runtime.cleanup import purge
from testbed.runtime.containers import Containers
from testbed.runtime.reaper import Reaper
from testbed.services import Settings, assemble
from testbed.state.locks import hold_lock
from testbed.state.store import State, instance_of, remove_folder
from testbed.storage import choice
from testbed.storage.choice import Wanted
from testbed.storage.volumes import Kind

logger = logging.getLogger(__name__)

_PATIENCE = 20.0  # seconds that the start of KMS gets to notice that it is given up


class RequestOptions(TypedDict, total=False):
    """Members of ``CreateBroker`` that ``Testbed.request`` takes."""

    users: tuple[User, ...]
    engine_version: str
    deployment_mode: str
    storage_type: str
    encryption_options: EncryptionOptions
    tags: dict[str, str]
    network_connectors: tuple[NetworkConnector, ...]
    inter_node_tls: bool
    volume_kind: Kind | None
    volume_scale: float
    fixed_ports: bool
    image: str
    defects: Defects | None


class Testbed:
    """Everything of one state folder.

    As a context manager it closes at the end of the block, and everything keeps running; a testbed
    without its own folder is removed.

    ``user`` is who acts where nobody is named: the root of the user's account, in the testbed's
    Region. ``kms`` is the way to KMS, ``brokers`` is Amazon MQ's control plane, ``upkeep`` is
    what happens to brokers without a request, ``clock`` is the time that all go by, and ``trail``
    is CloudTrail.
    """

    __test__ = False  # the name starts with "Test": pytest must not collect it

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        kms_image: str = "",
        delay: float | None = None,
        region: str = "",
        strict_names: bool | None = None,
        require_known_keys: bool | None = None,
        only: Iterable[str] | None = None,
        volumes: Wanted | None = None,
        volume_scale: float | None = None,
        start: bool = True,
    ) -> None:
        """Join the testbed of ``folder``, and start its engine and its KMS unless they run.

        Without ``folder`` it is a temporary one, which is removed at the end of the ``with`` block,
        or when the process ends in any way. ``kms_image`` is a LocalStack image of your own.
        ``delay`` is the number of seconds until a disabled key or a revoked grant takes effect; it
        is kept for the folder's life, and the default is ``testbed.kms.base.DELAY``; processes that
        use the folder already go on with the former one, see ``has_new_settings``. ``region`` is
        where everyone acts who names no Region, and is kept as well; by default it is the one that
        AWS's tools find in the environment or the AWS profile, or us-east-1. So is
        ``strict_names``: whether names, tags and URLs that the data-protection page advises
        against are refused, which Amazon MQ does not do, and ``require_known_keys``: whether the
        endpoint refuses access keys that neither IAM nor STS issued, and ``only``: the services
        around Amazon MQ that it serves, such as ``["ec2"]``, all by default. ``volumes`` is what
        EBS is made of, encrypted in both cases: ``block`` devices, or ``files``, and
        ``auto`` finds out; block devices have ``volume_scale`` of the documented size. With
        ``start=False`` nothing is started, and calls of KMS fail if it does not run. Raises
        ``EngineUnavailable`` or ``StateBroken``. What keeps KMS from starting is raised by the
        first call of ``kms``.
        """
        self._stopping = threading.Event()
        self._reaper: Reaper | None = None
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="testbed-"))
            self._reaper = Reaper(instance_of(folder), folder)
        try:
            state = State(folder)
            self.containers = Containers(engine.connect(start=start), state.instance)
            # First what may be refused, so that then nothing has changed.
            services = None if only is None else chosen_services.checked(only)
            settings = Settings.load(state, delay, region, self._stopping)
            if volumes is not None or volume_scale is not None:
                choice.choose(state, wanted=volumes, scale=volume_scale)
            if services is not None:
                chosen_services.choose(state, services)
            if strict_names is not None:
                strict.choose(state, strict=strict_names)
            if require_known_keys is not None:
                known_keys.require(state, required=require_known_keys)
            self._open(state, settings, kms_image, start=start)
        except BaseException:  # Ctrl-C, too
            if self._reaper:
                logger.info("taking everything down")
                down(folder)
                self._reaper.dismiss()
            raise

    def _open(self, state: State, settings: Settings, kms_image: str, *, start: bool) -> None:
        self.state = state
        self.delay, self.has_new_settings = settings.delay, settings.are_new
        self.kms_container = KmsContainer(self.containers, state, settings.kms_port, self._stopping)
        if start:
            self.kms_container.start(kms_image)
        else:
            self.kms_container.join()
        try:
            self.services = assemble(
                state, self.containers, self.kms_container, settings, self._stopping
            )
        except BaseException:
            self._stopping.set()
            self.kms_container.wait_until_given_up(_PATIENCE)
            self.containers.close()
            raise
        self.clock, self.kms = self.services.clock, self.services.kms
        self.user = self.services.user
        self.trail, self.authority = self.services.trail, self.services.authority
        self.brokers = Brokers(self.services)
        self.upkeep = self.brokers.upkeep
        self._controls = Controls(
            lambda engine_type, defects: self.brokers.create(
                self.request(engine_type, "control", defects=defects)
            ),
            self.brokers.delete,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._reaper:
            self.close()
            return
        logger.info("taking everything down")
        self.down()
        down(self.state.folder)  # what was on its way to the engine
        self._reaper.dismiss()  # not after an interrupted removal: the reaper completes that

    @property
    def region(self) -> str:
        """The Region of ``user``, and of the default brokers."""
        return self.user.region

    @property
    def ca_file(self) -> Path:
        """The one file that clients have to trust."""
        return self.state.ca_file

    def wait_out_delay(self) -> None:
        """Advance the clock past the delay, so that earlier calls of KMS are in effect."""
        self.clock.turn(self.delay + 1)

    def default_broker(
        self, engine_type: str, options: DefaultBrokerOptions | None = None
    ) -> Broker:
        """Return the default broker of ``engine_type``; see ``testbed.broker.default_broker``."""
        with hold_lock(self.state.folder, f"broker-{NAMES[engine_type]}", self._stopping):
            return default_broker.ensure(
                self.brokers, self.kms, self.user, engine_type, options or DefaultBrokerOptions()
            )

    @contextmanager
    def temporary_broker(
        self, request: CreateBroker, caller: Caller | None = None
    ) -> Iterator[Broker]:
        """Create a broker for the length of a ``with`` block. Raises as ``Brokers.create`` does."""
        broker = self.brokers.create(request, caller)
        try:
            yield broker
        finally:
            self.brokers.delete(broker.broker_id, caller)

    def request(
        self,
        engine_type: str,
        purpose: str,
        key_arn: str = "",
        **options: Unpack[RequestOptions],
    ) -> CreateBroker:
        """Return a request for a broker under ``key_arn``, or under Amazon MQ's own key.

        ``purpose`` begins the broker's name. ``options`` are members of ``CreateBroker``.
        """
        key = EncryptionOptions(use_aws_owned_key=not key_arn, kms_key_id=key_arn)
        defaults = RequestOptions(
            users=(User(USERNAME, new_password()),), storage_type="EBS", encryption_options=key
        )
        members: RequestOptions = {**defaults, **options}
        return CreateBroker(
            broker_name=f"{purpose}-{NAMES[engine_type]}-{secrets.token_hex(3)}",
            engine_type=engine_type,
            **members,
        )

    def control(self, engine_type: str, defects: Defects) -> Broker:
        """Return a broker with planted defects, for the control run of a check.

        It is created once and shared by all checks that need the same defects, until ``close``, so
        leave it as it is; a check that changes its control creates one with ``temporary_broker``.
        Raises as ``Brokers.create`` does.
        """
        return self._controls.get(engine_type, defects)

    def user_in(self, region: str) -> Caller:
        """Return ``user``, acting in ``region``; in the testbed's own when it is empty.

        Raises ``TestbedError`` if AWS has no such Region.
        """
        return root(self.user.account, checked(region)) if region else self.user

    def new_key(self, description: str, *, region: str = "", **parameters: Any) -> str:
        """Create a customer managed key of the user's and return its ARN."""
        answer = self.kms.call(
            self.user_in(region), "CreateKey", {"Description": description, **parameters}
        )
        return str(answer["KeyMetadata"]["Arn"])

    def close(self) -> None:
        """Delete control brokers and disconnect from the engine; everything else keeps running."""
        try:
            self._controls.close()
        finally:
            self.containers.close()

    def stop(self) -> None:
        """Give up what is being started in other threads, for good."""
        self._stopping.set()

    def down(self) -> dict[str, int]:
        """Remove containers, volumes, network and state folder, and count what was removed."""
        self.stop()
        self.kms_container.wait_until_given_up(_PATIENCE)
        counts = self.containers.purge()
        self.state.remove()
        self.containers.close()
        return counts


def down(folder: Path | str, everything: bool = False, *, quiet_for: float = 0.0) -> dict[str, int]:
    """Remove what runs for ``folder``, or for any, and the folder itself if it is a testbed's.

    Starts no engine, and works on a broken folder. Returns the numbers of what was removed.
    ``quiet_for``: see ``purge``. Raises ``StateBroken`` for a path that cannot be.
    """
    instance = "" if everything else instance_of(folder)
    counts = {"containers": 0, "volumes": 0, "networks": 0}
    try:
        client = engine.connect(start=False)
    except EngineUnavailable:  # then nothing of the testbed's runs
        client = None
    if client:
        try:
            counts = purge(client, instance, quiet_for=quiet_for)
        finally:
            client.close()
    remove_folder(folder)
    return counts
