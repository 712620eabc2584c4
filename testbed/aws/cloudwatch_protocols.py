"""The protocols of CloudWatch: AWS JSON, Smithy RPC v2 with CBOR, and the query protocol.

boto3 and the AWS CLI write JSON, newer SDKs for other languages CBOR, which is translated to JSON
and back, and older ones queries, whose refusals are in XML.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime

import cbor2
from botocore.parsers import create_parser

from testbed import api_models
from testbed.aws import query_protocol
from testbed.aws.dispatch import Service
from testbed.errors import ApiError
from testbed.https.server import Request, Response
from testbed.kms.base import Caller

_CBOR = {"smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}


class AnyProtocol:
    """A ``service`` of AWS JSON, by botocore's ``name``, for clients of each protocol."""

    def __init__(self, service: Service, name: str) -> None:
        self._service, self._name = service, name
        self.refusal = service.refusal

    def answer(self, request: Request, caller: Caller) -> Response:
        """Perform the operation. Raises ``ApiError``, for ``refusal``."""
        if request.header("x-amz-target"):
            return self._service.answer(request, caller)
        in_cbor = request.header("smithy-protocol") == _CBOR["smithy-protocol"]
        operation = request.path.rpartition("/")[2]
        try:
            if not in_cbor:
                return self._service.answer(request, caller)
            answer = self._service.answer(self._as_json(request, operation), caller)
        except ApiError as error:
            if error.status >= 500:
                raise
            if in_cbor:
                return _refusal(error)
            return query_protocol.refusal(error, request.request_id, self._name)
        model = api_models.operations(self._name)[operation]
        response = {"status_code": 200, "headers": {}, "body": answer.body}
        elements = create_parser("json").parse(response, model.output_shape)
        elements.pop("ResponseMetadata", None)
        return _response(200, elements)

    def _as_json(self, request: Request, operation: str) -> Request:
        """Return the request as AWS JSON has it. Raises ``ApiError`` if it cannot be read."""
        try:
            sent = cbor2.loads(request.body) if request.body else {}
            body = json.dumps(sent, default=datetime.timestamp).encode()
        except (cbor2.CBORDecodeError, TypeError, ValueError) as error:
            sentence = "The body must be a CBOR map."
            raise ApiError(sentence, code="SerializationException", status=400) from error
        prefix = api_models.service(self._name).metadata["targetPrefix"]
        headers = {**request.headers, "x-amz-target": f"{prefix}.{operation}"}
        headers["content-type"] = "application/x-amz-json-1.0"
        return replace(request, path="/", headers=headers, body=body)


def _refusal(error: ApiError) -> Response:
    """Return a refusal; where a code has another name than its shape, the header has the code."""
    document = {"__type": error.code, "message": error.message}
    refused = _response(error.status, document)
    headers = {**refused.headers, "x-amzn-query-error": f"{error.code};Sender"}
    return replace(refused, headers=headers)


def _response(status: int, document: object) -> Response:
    body = cbor2.dumps(document, datetime_as_timestamp=True, timezone=UTC)
    return Response(status, body, _CBOR)
