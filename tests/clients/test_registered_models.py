"""Registered models: create, change, search, delete."""

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def test_a_registered_model_has_description_tags_and_times(client: MlflowClient, unique) -> None:
    name = unique("Modell ü")
    client.create_registered_model(name, tags={"a": "1"}, description="what it is")
    found = client.get_registered_model(name)
    assert (found.name, found.description, found.tags) == (name, "what it is", {"a": "1"})
    assert found.last_updated_timestamp >= found.creation_timestamp > 0
    assert (found.latest_versions, found.aliases) == ([], {})


def test_a_taken_name_is_refused(client: MlflowClient, model_name: str) -> None:
    with pytest.raises(MlflowException, match="already exists") as refused:
        client.create_registered_model(model_name)
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "m/"])
def test_a_name_that_is_none_is_refused(client: MlflowClient, name: str) -> None:
    with pytest.raises(MlflowException) as refused:
        client.create_registered_model(name)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_the_description_changes(client: MlflowClient, model_name: str) -> None:
    client.update_registered_model(model_name, description="new")
    assert client.get_registered_model(model_name).description == "new"


def test_renaming_takes_versions_aliases_and_tags_along(client: MlflowClient, model_name: str, unique) -> None:
    client.create_model_version(model_name, "s3://bucket/model")
    client.set_registered_model_alias(model_name, "champion", "1")
    client.set_registered_model_tag(model_name, "k", "v")
    new_name = unique("renamed")
    client.rename_registered_model(model_name, new_name)
    found = client.get_registered_model(new_name)
    assert (found.aliases, found.tags) == ({"champion": "1"}, {"k": "v"})
    assert client.get_model_version_by_alias(new_name, "champion").name == new_name
    with pytest.raises(MlflowException) as missing:
        client.get_registered_model(model_name)
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_renaming_to_a_taken_name_is_refused(client: MlflowClient, model_name: str, unique) -> None:
    other = client.create_registered_model(unique("other")).name
    with pytest.raises(MlflowException, match="already exists") as refused:
        client.rename_registered_model(model_name, other)
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"
    assert client.get_registered_model(model_name).name == model_name


def test_tags_and_aliases_are_no_update(client: MlflowClient, model_name: str) -> None:
    def updated() -> list[int]:
        return [client.get_registered_model(model_name).last_updated_timestamp, client.get_model_version(model_name, "1").last_updated_timestamp]

    client.create_model_version(model_name, "s3://somewhere/else")
    before = updated()
    client.set_registered_model_tag(model_name, "k", "v")
    client.set_model_version_tag(model_name, "1", "k", "v")
    client.set_registered_model_alias(model_name, "champion", "1")
    client.delete_model_version_tag(model_name, "1", "k")
    client.delete_registered_model_tag(model_name, "k")
    client.delete_registered_model_alias(model_name, "champion")
    assert updated() == before
    client.update_model_version(model_name, "1", "described")
    assert updated()[1] > before[1]


def test_names_and_runs_are_searched_by_lists(client: MlflowClient, model_name: str, unique) -> None:
    other = unique("model")
    client.create_registered_model(other)
    client.create_model_version(model_name, "s3://somewhere/else", run_id="0" * 32)
    found = client.search_registered_models(f"name IN ('{model_name}', '{other}')")
    assert {model.name for model in found} == {model_name, other}
    found = client.search_registered_models(f"name NOT IN ('{model_name}') AND name LIKE '{model_name}%'")
    assert found == []
    versions = client.search_model_versions(f"name IN ('{model_name}') AND name NOT IN ('{other}')")
    assert [version.version for version in versions] == ["1"]
    for about_run, versions in {"!= '1'": ["1"], "LIKE '000%'": ["1"], f"NOT IN ('{'0' * 32}')": []}.items():
        found = client.search_model_versions(f"name = '{model_name}' AND run_id {about_run}")
        assert [version.version for version in found] == versions, about_run


def test_tags_are_set_replaced_and_deleted(client: MlflowClient, model_name: str) -> None:
    client.set_registered_model_tag(model_name, "k", "1")
    client.set_registered_model_tag(model_name, "k", "2")
    client.set_registered_model_tag(model_name, "other", "ü\n")
    assert client.get_registered_model(model_name).tags == {"k": "2", "other": "ü\n"}
    client.delete_registered_model_tag(model_name, "k")
    assert client.get_registered_model(model_name).tags == {"other": "ü\n"}
    client.delete_registered_model_tag(model_name, "k")  # not there any more: nothing happens


def test_deleting_takes_everything_away(client: MlflowClient, model_name: str) -> None:
    client.create_model_version(model_name, "s3://bucket/model")
    client.set_registered_model_alias(model_name, "a", "1")
    client.delete_registered_model(model_name)
    for read in (
        lambda: client.get_registered_model(model_name),
        lambda: client.get_model_version(model_name, "1"),
        lambda: client.delete_registered_model(model_name),
    ):
        with pytest.raises(MlflowException) as missing:
            read()
        assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert client.search_model_versions(f"name = '{model_name}'") == []


def test_search_filters_orders_and_pages(client: MlflowClient, unique) -> None:
    stem = unique("Found")
    names = [f"{stem}-{number}" for number in range(5)]
    for number, name in enumerate(names):
        client.create_registered_model(name, tags={"stem": stem, "odd": str(number % 2)})

    def found(filter_string: str, **options) -> list[str]:
        return [model.name for model in client.search_registered_models(filter_string, **options)]

    assert found(f"name = '{names[2]}'") == [names[2]]
    assert found(f"name LIKE '{stem}%'") == names
    assert found(f"name ILIKE '{stem.lower()}%'") == names
    assert found(f"tags.stem = '{stem}' AND tags.odd = '1'") == [names[1], names[3]]
    assert found(f"tags.stem = '{stem}' and name != '{names[0]}'") == names[1:]
    assert found(f"name LIKE '{stem}%'", order_by=["name DESC"]) == names[::-1]
    first = client.search_registered_models(f"name LIKE '{stem}%'", max_results=3)
    second = client.search_registered_models(f"name LIKE '{stem}%'", max_results=3, page_token=first.token)
    assert [model.name for model in [*first, *second]] == names
    assert not second.token
    client.update_registered_model(names[1], description="touched")
    assert found(f"name LIKE '{stem}%'", order_by=["last_updated_timestamp DESC"])[0] == names[1]


@pytest.mark.parametrize("filter_string", ["bogus = 'x'", "name > 'a'", "name = x", "name = 'a' OR name = 'b'"])
def test_a_wrong_filter_is_refused(client: MlflowClient, filter_string: str) -> None:
    with pytest.raises(MlflowException) as refused:
        client.search_registered_models(filter_string)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
