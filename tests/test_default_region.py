"""The Region of a testbed for which none was named, and of one that has it already."""

import ast
import threading
from pathlib import Path

import pytest

from testbed.aws.endpoint import Endpoint
from testbed.default_region import checked, default_region
from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import TestbedError
from testbed.services import Settings
from testbed.state.store import State

ROOT = Path(__file__).resolve().parents[1]
# Where a Region or partition may be written: the default, and what is said to users about it.
ALLOWED = {
    "testbed/documented/regions.py",
    "testbed/kms/base.py",  # ``USER`` in the default Region
    "testbed/policy/evaluate.py",  # AWS's managed policies, which have no Region
}


def test_us_east_1_where_nothing_says_otherwise() -> None:
    assert default_region() == DEFAULT_REGION == "us-east-1"


def test_the_environment_and_the_profile_are_read_as_aws_tools_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = tmp_path / "config"
    profiles.write_text("[default]\nregion = eu-west-1\n[profile work]\nregion = eu-west-2\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(profiles))
    assert default_region() == "eu-west-1"
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert default_region() == "eu-west-2"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert default_region() == "eu-west-3"
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    assert default_region() == "sa-east-1"


def test_a_profile_that_does_not_exist_names_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert default_region() == DEFAULT_REGION


def test_an_unknown_region_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "mars-north-1")
    with pytest.raises(TestbedError, match="AWS has no Region 'mars-north-1'"):
        default_region()
    with pytest.raises(TestbedError):
        checked("us-east-1a")


def test_the_region_is_kept_until_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, stopping = State(tmp_path / "state"), threading.Event()
    first = Settings.load(state, None, "eu-central-1", stopping)
    assert first.region == "eu-central-1"
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    assert Settings.load(state, None, "", stopping) == first, "the environment is for new ones"
    other = Settings.load(state, 5.0, "cn-north-1", stopping)
    assert (other.region, other.delay, other.kms_port) == ("cn-north-1", 5.0, first.kms_port)
    with pytest.raises(TestbedError):
        Settings.load(state, None, "mars-north-1", stopping)
    assert Settings.load(state, None, "", stopping) == other
    assert (first.are_new, other.are_new) == (False, True)
    assert Settings.load(State(tmp_path / "new"), None, "", stopping).region == "sa-east-1"


def test_the_endpoint_names_it_by_both_of_aws_variables(tmp_path: Path) -> None:
    """boto3 reads the first, and the AWS CLI, Terraform and the SDK for Go the second."""
    variables = Endpoint(443, tmp_path / "ca.pem", "eu-central-1").environment()
    assert (variables["AWS_DEFAULT_REGION"], variables["AWS_REGION"]) == ("eu-central-1",) * 2


def literals(path: Path) -> list[str]:
    """Return the texts that a file works with, its docstrings and comments excepted."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
    ]


def names_a_place(text: str) -> bool:
    return "us-east-1" in text or "arn:aws:" in text


def test_no_code_forms_names_in_a_region_of_its_own() -> None:
    """All ARNs and host names take the Region of a caller, a key or a broker."""
    found = {
        str(path.relative_to(ROOT)): texts
        for path in sorted((ROOT / "testbed").rglob("*.py"))
        if (texts := list(filter(names_a_place, literals(path))))
    }
    help_texts = {"testbed/cli/lifecycle.py"}
    assert found.keys() - ALLOWED - help_texts == set(), found


def test_control_a_name_in_one_region_is_found(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text('"""arn:aws: in a docstring."""\nARN = f"arn:aws:kms:us-east-1:{x}"\n')
    assert list(filter(names_a_place, literals(source))) == ["arn:aws:kms:us-east-1:"]
