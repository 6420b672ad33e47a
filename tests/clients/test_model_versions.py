"""Versions of registered models: numbers, stages, aliases, tags, search."""

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def test_a_version_knows_where_it_came_from(client: MlflowClient, model_name: str, run_id: str) -> None:
    source = client.get_run(run_id).info.artifact_uri + "/model"
    version = client.create_model_version(model_name, source, run_id, tags={"k": "v"}, description="first")
    found = client.get_model_version(model_name, "1")
    assert (found.version, found.source, found.run_id) in {("1", source, run_id), (1, source, run_id)}
    assert (found.description, found.tags, found.status, found.current_stage) == ("first", {"k": "v"}, "READY", "None")
    assert found.creation_timestamp == version.creation_timestamp
    assert client.get_model_version_download_uri(model_name, "1") == source


def test_versions_count_up_and_are_never_reused(client: MlflowClient, model_name: str) -> None:
    numbers = [int(client.create_model_version(model_name, f"s3://bucket/{n}").version) for n in range(3)]
    assert numbers == [1, 2, 3]
    client.delete_model_version(model_name, "2")
    client.delete_model_version(model_name, "3")
    assert int(client.create_model_version(model_name, "s3://bucket/4").version) == 4
    with pytest.raises(MlflowException) as missing:
        client.get_model_version(model_name, "2")
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("stage", ["Staging", "Production", "Archived", "None"])
def test_stages_move(client: MlflowClient, model_name: str, stage: str) -> None:
    client.create_model_version(model_name, "s3://bucket/1")
    moved = client.transition_model_version_stage(model_name, "1", stage.lower())
    assert moved.current_stage == stage
    assert client.get_model_version(model_name, "1").current_stage == stage


def test_the_earlier_holder_of_a_stage_is_archived_when_asked(client: MlflowClient, model_name: str) -> None:
    for number in (1, 2, 3):
        client.create_model_version(model_name, f"s3://bucket/{number}")
    client.transition_model_version_stage(model_name, "1", "Production")
    client.transition_model_version_stage(model_name, "2", "Production")
    assert client.get_model_version(model_name, "1").current_stage == "Production"
    client.transition_model_version_stage(model_name, "3", "Production", archive_existing_versions=True)
    stages = [client.get_model_version(model_name, str(number)).current_stage for number in (1, 2, 3)]
    assert stages == ["Archived", "Archived", "Production"]


def test_the_latest_version_of_each_stage_is_found(client: MlflowClient, model_name: str) -> None:
    for number in range(1, 5):
        client.create_model_version(model_name, f"s3://bucket/{number}")
    client.transition_model_version_stage(model_name, "1", "Production")
    client.transition_model_version_stage(model_name, "2", "Production")
    client.transition_model_version_stage(model_name, "3", "Staging")

    def latest(stages: list[str] | None) -> dict[str, int]:
        return {found.current_stage: int(found.version) for found in client.get_latest_versions(model_name, stages)}

    assert latest(None) == {"None": 4, "Production": 2, "Staging": 3}
    assert latest(["production"]) == {"Production": 2}
    assert latest(["Archived"]) == {}
    assert {int(version.version) for version in client.get_registered_model(model_name).latest_versions} == {2, 3, 4}


def test_aliases_move_from_version_to_version(client: MlflowClient, model_name: str) -> None:
    for number in (1, 2):
        client.create_model_version(model_name, f"s3://bucket/{number}")
    client.set_registered_model_alias(model_name, "champion", "1")
    client.set_registered_model_alias(model_name, "shadow_2-b", "1")
    assert client.get_model_version_by_alias(model_name, "champion").version in ("1", 1)
    assert sorted(client.get_model_version(model_name, "1").aliases) == ["champion", "shadow_2-b"]
    client.set_registered_model_alias(model_name, "champion", "2")
    assert client.get_model_version_by_alias(model_name, "champion").version in ("2", 2)
    assert client.get_registered_model(model_name).aliases == {"champion": "2", "shadow_2-b": "1"}
    client.delete_registered_model_alias(model_name, "champion")
    with pytest.raises(MlflowException, match="champion") as missing:
        client.get_model_version_by_alias(model_name, "champion")
    assert missing.value.error_code == "INVALID_PARAMETER_VALUE"
    client.delete_registered_model_alias(model_name, "champion")  # not there any more: nothing happens


def test_deleting_a_version_takes_its_aliases_away(client: MlflowClient, model_name: str) -> None:
    for number in (1, 2):
        client.create_model_version(model_name, f"s3://bucket/{number}")
    client.set_registered_model_alias(model_name, "gone", "1")
    client.set_registered_model_alias(model_name, "stays", "2")
    client.delete_model_version(model_name, "1")
    assert client.get_registered_model(model_name).aliases == {"stays": "2"}


@pytest.mark.parametrize("alias", ["latest", "LATEST", "v1", "V22", "a b", "a/b", "", "a.b"])
def test_an_alias_that_is_none_is_refused(client: MlflowClient, model_name: str, alias: str) -> None:
    client.create_model_version(model_name, "s3://bucket/1")
    with pytest.raises(MlflowException) as refused:
        client.set_registered_model_alias(model_name, alias, "1")
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert client.get_registered_model(model_name).aliases == {}


def test_tags_and_description_change(client: MlflowClient, model_name: str) -> None:
    client.create_model_version(model_name, "s3://bucket/1", tags={"a": "1"})
    client.set_model_version_tag(model_name, "1", "b", "2")
    client.set_model_version_tag(model_name, "1", "a", "3")
    client.update_model_version(model_name, "1", description="new words")
    found = client.get_model_version(model_name, "1")
    assert (found.tags, found.description) == ({"a": "3", "b": "2"}, "new words")
    client.delete_model_version_tag(model_name, "1", "a")
    assert client.get_model_version(model_name, "1").tags == {"b": "2"}


def test_versions_are_searched(client: MlflowClient, model_name: str, run_id: str) -> None:
    client.create_model_version(model_name, "s3://bucket/1", tags={"odd": "yes"})
    client.create_model_version(model_name, "s3://bucket/2", run_id=run_id)
    client.create_model_version(model_name, "s3://bucket/3", tags={"odd": "yes"})

    def found(filter_string: str, **options) -> list[int]:
        return [int(version.version) for version in client.search_model_versions(filter_string, **options)]

    assert sorted(found(f"name = '{model_name}'")) == [1, 2, 3]
    assert found(f"run_id = '{run_id}'") == [2]
    assert found(f"run_id IN ('{run_id}', 'x')") == [2]
    assert found(f"name = '{model_name}' AND source_path = 's3://bucket/3'") == [3]
    assert found(f"name = '{model_name}' AND version_number > 1", order_by=["version_number ASC"]) == [2, 3]
    assert found(f"name = '{model_name}' AND tags.odd = 'yes'", order_by=["version_number DESC"]) == [3, 1]
    assert found(f"name LIKE '{model_name[:-1]}%'", order_by=["version_number ASC"]) == [1, 2, 3]
    first = client.search_model_versions(f"name = '{model_name}'", max_results=2, order_by=["version_number ASC"])
    second = client.search_model_versions(
        f"name = '{model_name}'", max_results=2, order_by=["version_number ASC"], page_token=first.token
    )
    assert [int(version.version) for version in [*first, *second]] == [1, 2, 3]


def test_a_version_found_by_search_carries_its_tags(client: MlflowClient, model_name: str) -> None:
    client.create_model_version(model_name, "s3://bucket/1", tags={"k": "v"}, description="words")
    (found,) = client.search_model_versions(f"name = '{model_name}'")
    assert (found.tags, found.description, found.source) == ({"k": "v"}, "words", "s3://bucket/1")


@pytest.mark.parametrize(
    "source", ["/etc/passwd", "file:///etc/passwd", "s3://bucket/../x", "mlflow-artifacts:/1/../../x", "", "s3://b/%2e%2e/x"]
)
def test_a_source_that_leads_elsewhere_is_refused(client: MlflowClient, model_name: str, source: str) -> None:
    with pytest.raises(MlflowException) as refused:
        client.create_model_version(model_name, source)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert client.search_model_versions(f"name = '{model_name}'") == []


def test_a_version_is_copied_to_another_model(client: MlflowClient, model_name: str, unique) -> None:
    client.create_model_version(model_name, "s3://bucket/1")
    target = unique("copy")
    copied = client.copy_model_version(f"models:/{model_name}/1", target)
    assert (copied.name, copied.version in ("1", 1), copied.source) == (target, True, f"models:/{model_name}/1")
    assert client.get_model_version_download_uri(target, "1") == "s3://bucket/1"


def test_the_alias_latest_is_the_newest_version_whatever_its_stage(client: MlflowClient, model_name: str) -> None:
    with pytest.raises(MlflowException) as missing:
        client.get_model_version_by_alias(model_name, "latest")
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    for number in (1, 2, 3):
        client.create_model_version(model_name, f"s3://bucket/{number}")
    client.transition_model_version_stage(model_name, "1", "Production")
    client.transition_model_version_stage(model_name, "3", "Archived")
    assert int(client.get_model_version_by_alias(model_name, "Latest").version) == 3


def test_a_run_of_another_server_is_kept_as_it_is_named(client: MlflowClient, model_name: str) -> None:
    elsewhere = "0123456789abcdef0123456789abcdef"
    made = client.create_model_version(model_name, "s3://bucket/1", run_id=elsewhere)
    assert (made.run_id, made.run_link or "") == (elsewhere, "")
    found = client.search_model_versions(f"name = '{model_name}' AND run_id = '{elsewhere}'")
    assert [int(version.version) for version in found] == [1]
    assert client.search_model_versions(f"name = '{model_name}' AND version_number = '2'") == []
