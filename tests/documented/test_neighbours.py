"""The services around Amazon MQ, against the models that botocore has of them."""

import pytest

from testbed import api_models, api_validation
from testbed.documented.neighbours import NEIGHBOURS, Neighbour

EACH = pytest.mark.parametrize("served", NEIGHBOURS.values(), ids=NEIGHBOURS)


@EACH
def test_every_operation_is_one_of_the_service(served: Neighbour) -> None:
    known = set(api_models.operations(served.name))
    assert served.operations <= known
    assert served.data <= served.operations
    assert set(served.created) <= served.operations
    assert api_models.service(served.name).signing_name == served.signing_name


@EACH
def test_every_member_that_names_a_resource_is_one_of_a_request(served: Neighbour) -> None:
    operations = api_models.operations(served.name)
    shapes = [operations[name].input_shape for name in served.operations]
    members = {name for shape in shapes if shape for name in shape.members}
    assert set(served.resources) <= members
    for name, apart in served.apart.items():
        assert set(apart) <= set(operations[name].input_shape.members)


@EACH
def test_every_pattern_of_a_model_can_be_checked(served: Neighbour) -> None:
    for name in served.operations:
        shape = api_models.operations(served.name)[name].input_shape
        for member in shape.members.values() if shape else ():
            if member.type_name == "string" and member.metadata.get("pattern"):
                list(api_validation.errors(member, "a"))
