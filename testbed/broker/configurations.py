"""Customer configurations and their revisions, as the service keeps them.

What a configuration may contain is the engines' business. A revision is stored as the service's
sanitising left it, and never changes.
"""

import re
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from testbed.broker import refusals, rules, strict_names
from testbed.broker.model import Broker
from testbed.broker.requests import Configuration
from testbed.documented import activemq_elements, rabbitmq_keys, regions
from testbed.documented.engines import VERSIONS
from testbed.documented.instance_types import DISPLAY_NAMES
from testbed.engines.activemq import configuration as activemq_configuration
from testbed.engines.base import SanitizationWarning
from testbed.engines.rabbitmq import configuration as rabbitmq_configuration
from testbed.kms.base import Caller
from testbed.state.clock import Clock
from testbed.state.locks import hold_lock
from testbed.state.store import State

_KIND = "configuration"
_NAME = re.compile(r"[A-Za-z0-9._~-]{1,150}")  # API, with the sentence
_NAME_SENTENCE = (
    "A configuration name can contain only alphanumeric characters, dashes, periods, underscores, "
    "and tildes (- . _ ~), and must be 1-150 characters long."
)
_REVISIONS = 300  # LIM
_SANITIZE = {
    "ACTIVEMQ": activemq_configuration.sanitize,
    "RABBITMQ": rabbitmq_configuration.sanitize,
}
_DEFAULTS = {"ACTIVEMQ": activemq_elements.DEFAULT, "RABBITMQ": rabbitmq_keys.DEFAULT}


@dataclass(frozen=True)
class Revision:
    """A revision; ``created`` is ISO 8601."""

    revision: int
    created: str
    description: str
    data: str


@dataclass(frozen=True)
class CustomerConfiguration:
    """A configuration of ``account`` in ``region`` with all its revisions, the oldest first.

    ``shown_engine_type`` is the engine type as the request spelled it.
    """

    account: str
    region: str
    id: str
    name: str
    engine_type: str
    shown_engine_type: str
    engine_version: str
    created: str
    tags: Mapping[str, str]
    revisions: tuple[Revision, ...]

    @property
    def arn(self) -> str:
        """The ARN."""
        return regions.arn("mq", self.region, self.account, f"configuration:{self.id}")

    @property
    def latest(self) -> Revision:
        """The latest revision."""
        return self.revisions[-1]

    def find(self, number: object) -> Revision:
        """Return a revision by its number. Raises ``NotFoundException``."""
        for revision in self.revisions:
            if str(revision.revision) == str(number):
                return revision
        raise refusals.no_such_revision(self.id, number)


class Configurations:
    """The configurations of one state folder."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def create(
        self,
        caller: Caller,
        name: str,
        engine_type: str,
        engine_version: str,
        tags: Mapping[str, str],
        *,
        shown_engine_type: str = "",
    ) -> CustomerConfiguration:
        """CreateConfiguration: its first revision is the service's default.

        Raises ``BadRequestException`` or ``ConflictException``.
        """
        if engine_version not in VERSIONS[engine_type]:
            raise refusals.unknown_version(engine_type, engine_version)
        if not _NAME.fullmatch(name):
            raise refusals.bad(_NAME_SENTENCE, "name")
        rules.check_tags(tags)
        shown = shown_engine_type or engine_type
        with hold_lock(self._state.folder, "configurations", threading.Event()):
            if any(configuration.name == name for configuration in self.of(caller)):
                raise refusals.configuration_exists()
            return self._add(
                caller, name, engine_type, engine_version, shown_engine_type=shown, tags=tags
            )

    def create_default(self, broker: Broker) -> Configuration:
        """Create the configuration of a broker that was created without one, and return it.

        It outlives the broker, as in the service. Other brokers of the same name may have left
        configurations of the same name.
        """
        shown = broker.settings.get("EngineType", broker.engine_type)
        name = f"{broker.broker_name}-configuration"
        engine = (broker.engine_type, broker.engine_version)
        created = self._add(broker.owner, name, *engine, shown_engine_type=shown, tags={})
        return Configuration(created.id, created.latest.revision, created.latest.data)

    def update(
        self, caller: Caller, configuration_id: str, data: str, description: str
    ) -> tuple[CustomerConfiguration, Sequence[SanitizationWarning]]:
        """UpdateConfiguration: add a sanitised revision; return what was removed from it as well.

        Raises ``NotFoundException`` or ``BadRequestException``.
        """
        known = self.get(caller, configuration_id)
        sanitized = _SANITIZE[known.engine_type](data, known.engine_version)
        if strict_names.chosen(self._state):
            strict_names.check_configuration(known.engine_type, sanitized.data)

        def add(configuration: CustomerConfiguration) -> CustomerConfiguration:
            number = len(configuration.revisions) + 1
            if number > _REVISIONS:
                raise refusals.bad(f"A configuration has at most {_REVISIONS} revisions.")
            revision = Revision(number, self._now(), description, sanitized.data)
            return replace(configuration, revisions=(*configuration.revisions, revision))

        return self.amend(configuration_id, add), sanitized.warnings

    def delete(self, caller: Caller, configuration_id: str, brokers: Sequence[Broker]) -> None:
        """DeleteConfiguration. Raises ``ConflictException`` if one of ``brokers`` has it."""
        self.get(caller, configuration_id)
        for broker in brokers:
            used = (broker.configuration, broker.pending.configuration)
            if configuration_id in {configuration.id for configuration in used if configuration}:
                raise refusals.configuration_in_use(configuration_id, broker.broker_id)
        self._state.delete(_KIND, configuration_id)

    def all(self) -> list[CustomerConfiguration]:
        """Return all configurations in the order of their creation."""
        return [
            msgspec.convert(document, CustomerConfiguration) for document in self._state.all(_KIND)
        ]

    def of(self, caller: Caller) -> list[CustomerConfiguration]:
        """Return the configurations that the caller sees, in the order of their creation."""
        return [known for known in self.all() if caller.owns(known.account, known.region)]

    def get(self, caller: Caller, configuration_id: str) -> CustomerConfiguration:
        """Return a configuration that the caller sees. Raises ``NotFoundException``."""
        document = self._state.get(_KIND, configuration_id)
        if document is None or not caller.owns(document["account"], document["region"]):
            raise refusals.no_such_configuration(configuration_id)
        return msgspec.convert(document, CustomerConfiguration)

    def choose(
        self, caller: Caller, configuration_id: str, revision: int | None, engine_type: str
    ) -> Configuration:
        """Return a revision for a broker, the latest if it is None.

        Raises ``NotFoundException`` or ``BadRequestException``.
        """
        configuration = self.get(caller, configuration_id)
        if configuration.engine_type != engine_type:
            raise refusals.configuration_of_other_engine(
                configuration_id, configuration.engine_type
            )
        chosen = configuration.latest if revision is None else configuration.find(revision)
        return Configuration(configuration_id, chosen.revision, chosen.data)

    def amend(
        self,
        configuration_id: str,
        change: Callable[[CustomerConfiguration], CustomerConfiguration],
    ) -> CustomerConfiguration:
        """Change a configuration in one step. Raises ``NotFoundException``."""
        document = self._state.update(
            _KIND,
            configuration_id,
            lambda stored: msgspec.to_builtins(
                change(msgspec.convert(stored, CustomerConfiguration))
            ),
        )
        if document is None:
            raise refusals.no_such_configuration(configuration_id)
        return msgspec.convert(document, CustomerConfiguration)

    def _add(
        self,
        caller: Caller,
        name: str,
        engine_type: str,
        engine_version: str,
        *,
        shown_engine_type: str,
        tags: Mapping[str, str],
    ) -> CustomerConfiguration:
        engine = f"{DISPLAY_NAMES[engine_type]} {engine_version}"
        description = f"Auto-generated default for {name} on {engine}"
        first = Revision(1, self._now(), description, _DEFAULTS[engine_type])
        configuration = CustomerConfiguration(
            account=caller.account,
            region=caller.region,
            id=f"c-{uuid.uuid4()}",
            name=name,
            engine_type=engine_type,
            shown_engine_type=shown_engine_type,
            engine_version=engine_version,
            created=first.created,
            tags=dict(tags),
            revisions=(first,),
        )
        self._state.put(_KIND, configuration.id, msgspec.to_builtins(configuration))
        return configuration

    def _now(self) -> str:
        return self._clock.datetime().isoformat(timespec="milliseconds")
