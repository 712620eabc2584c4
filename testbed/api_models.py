"""The models of AWS's services that botocore carries: operations, shapes and paths."""

from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel


@cache
def service(name: str) -> ServiceModel:
    """Return the model of a service by botocore's name for it."""
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


@cache
def operations(name: str) -> dict[str, OperationModel]:
    """Return all operations of the service by their names."""
    model = service(name)
    return {operation: model.operation_model(operation) for operation in model.operation_names}
