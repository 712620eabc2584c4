"""The default VPC: the same in every testbed, and another for each account and Region."""

import pytest

from testbed.broker.network import with_defaults

MEMBERS = ("SubnetIds", "SecurityGroups")


@pytest.mark.parametrize(
    ("account", "region"), [("000000000000", "eu-central-1"), ("111111111111", "us-east-1")]
)
def test_another_account_or_region_has_another(account: str, region: str) -> None:
    def ids(account: str, region: str) -> set[str]:
        settings = with_defaults({}, "CLUSTER_MULTI_AZ", account, region)
        return {name for member in MEMBERS for name in settings[member]}

    assert ids(account, region) == ids(account, region)
    assert not ids(account, region) & ids("000000000000", "us-east-1")


def test_a_cluster_has_the_subnets_of_a_single_instance_too() -> None:
    single, cluster = (
        with_defaults({}, mode, "000000000000", "us-east-1")
        for mode in ("SINGLE_INSTANCE", "CLUSTER_MULTI_AZ")
    )
    assert set(single["SubnetIds"]) < set(cluster["SubnetIds"])
    assert single["SecurityGroups"] == cluster["SecurityGroups"]


def test_an_empty_list_is_none_and_other_settings_stay() -> None:
    settings = with_defaults(
        {"SubnetIds": [], "SecurityGroups": ["sg-1"], "Logs": {}}, "SINGLE_INSTANCE", "1", "r"
    )
    assert settings["SecurityGroups"] == ["sg-1"]
    assert len(settings["SubnetIds"]) == 1
    assert settings["Logs"] == {}
