"""Whether the caller's policies in IAM allow a call of Amazon MQ, before anything else is decided.

Amazon MQ has no policies on its resources. For CreateBroker and DeleteBroker it also needs what it
asks of EC2, and IAM, in the caller's name.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from testbed.account.authorization import Authorization, Given
from testbed.aws.mq.context import Context
from testbed.documented import permissions as documented
from testbed.documented import regions
from testbed.errors import MqError
from testbed.kms.base import Caller

_Permission = tuple[str, str, Given]  # action, resource, condition keys


class Permissions:
    """Decides by ``authorization`` on what is in ``context``."""

    def __init__(self, authorization: Authorization, context: Context) -> None:
        self._authorization, self._context = authorization, context

    def check(self, caller: Caller, operation: str, sent: Mapping[str, Any]) -> None:
        """Raise ``AccessDeniedException`` in AWS's words unless the caller may.

        A caller whom IAM does not know may do everything in its account.
        """
        if caller.credentials is None:
            return
        for action, resource, given in self._needed(caller, operation, sent):
            decision = self._authorization.decide(caller, action, resource, given)
            if not decision.allowed:
                request = self._authorization.request(caller, action, resource, given)
                raise MqError(decision.sentence(request), code="AccessDeniedException", status=403)

    def _needed(
        self, caller: Caller, operation: str, sent: Mapping[str, Any]
    ) -> Iterator[_Permission]:
        given: dict[str, Any] = {}
        tags = sent.get("Tags") or {}
        if tags:
            given = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        given["aws:TagKeys"] = tuple(tags or sent.get("TagKeys", ()))
        resource, own = self._resource(caller, operation, sent)
        given |= {f"aws:ResourceTag/{key}": value for key, value in own.items()}
        yield f"mq:{operation}", resource, given
        if operation in ("CreateBroker", "CreateConfiguration") and tags:
            kind = "broker" if operation == "CreateBroker" else "configuration"
            name = f"{sent.get('BrokerName', '')}:*" if kind == "broker" else "*"
            arn = regions.arn("mq", caller.region, caller.account, f"{kind}:{name}")
            yield "mq:CreateTags", arn, given
        if operation == "CreateBroker":
            yield from _ec2(documented.CREATE_BROKER_EC2, documented.CREATE_BROKER_INTERFACES)
            if str(sent.get("EngineType", "")).upper() == "RABBITMQ":
                yield from self._service_linked_role(caller)
        if operation == "DeleteBroker":
            yield from _ec2(documented.DELETE_BROKER_EC2, documented.DELETE_BROKER_INTERFACES)

    def _resource(
        self, caller: Caller, operation: str, sent: Mapping[str, Any]
    ) -> tuple[str, Mapping[str, str]]:
        """Return the ARN that a call is about, and its tags; of an unknown one what is known."""
        if operation in documented.ON_BROKERS:
            broker_id = sent.get("BrokerId", "")
            for broker in self._context.brokers.peek_all(caller):
                if broker.broker_id == broker_id:
                    return broker.arn, broker.tags
            return _arn(caller, f"broker:*:{broker_id}"), {}
        if operation in documented.ON_CONFIGURATIONS:
            configuration_id = sent.get("ConfigurationId", "")
            for configuration in self._context.configurations.of(caller):
                if configuration.id == configuration_id:
                    return configuration.arn, configuration.tags
            return _arn(caller, f"configuration:{configuration_id}"), {}
        if operation in documented.ON_EITHER:
            arn = sent.get("ResourceArn", "")
            tags = {broker.arn: broker.tags for broker in self._context.brokers.peek_all(caller)}
            tags |= {
                configuration.arn: configuration.tags
                for configuration in self._context.configurations.of(caller)
            }
            return arn, tags.get(arn, {})
        return "*", {}

    def _service_linked_role(self, caller: Caller) -> Iterator[_Permission]:
        """Yield the permission to make Amazon MQ's role, in an account that lacks it."""
        directory = self._authorization.identities.directory(caller.account, caller.region)
        if documented.SERVICE_LINKED_ROLE not in directory.roles:
            service = documented.SERVICE_LINKED_ROLE_OF
            path = f"role/aws-service-role/{service}/{documented.SERVICE_LINKED_ROLE}"
            arn = regions.iam_arn(caller.region, caller.account, path)
            yield "iam:CreateServiceLinkedRole", arn, {"iam:AWSServiceName": service}


def _ec2(plain: tuple[str, ...], of_interfaces: tuple[str, ...]) -> Iterator[_Permission]:
    for action in plain:
        yield action, "*", {}
    for action in of_interfaces:
        yield action, "*", documented.AUTHORIZED_SERVICE


def _arn(caller: Caller, resource: str) -> str:
    return regions.arn("mq", caller.region, caller.account, resource)
