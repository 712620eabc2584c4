"""The services' own models, which botocore carries: operations, shapes, paths."""

from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel


@cache
def service(name: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


@cache
def operations(name: str) -> dict[str, OperationModel]:
    """All operations of the service, by name."""
    model = service(name)
    return {each: model.operation_model(each) for each in model.operation_names}
