"""Experiments through MlflowClient."""

import multiprocessing
import time

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException


def test_a_new_experiment_has_name_tags_times_and_a_place_for_artifacts(client: MlflowClient, unique) -> None:
    before = int(time.time() * 1000)
    name = unique("exp")
    experiment_id = client.create_experiment(name, tags={"a": "1", "b": "ä"})
    experiment = client.get_experiment(experiment_id)
    assert experiment_id.isdecimal()
    assert experiment.name == name
    assert experiment.tags == {"a": "1", "b": "ä"}
    assert experiment.lifecycle_stage == "active"
    assert experiment.artifact_location == f"mlflow-artifacts:/{experiment_id}"
    assert before - 1000 <= experiment.creation_time <= int(time.time() * 1000) + 1000
    assert experiment.last_update_time >= experiment.creation_time
    assert client.get_experiment_by_name(name).experiment_id == experiment_id


def test_the_default_experiment_is_there(client: MlflowClient) -> None:
    assert client.get_experiment("0").name == "Default"
    assert client.get_experiment_by_name("Default").experiment_id == "0"


def test_an_artifact_location_of_ones_own_is_kept(client: MlflowClient, unique) -> None:
    location = "s3://bucket/some/prefix"
    experiment_id = client.create_experiment(unique("exp"), artifact_location=location)
    assert client.get_experiment(experiment_id).artifact_location == location
    run = client.create_run(experiment_id)
    assert run.info.artifact_uri == f"{location}/{run.info.run_id}/artifacts"


def test_a_taken_name_is_refused(client: MlflowClient, unique) -> None:
    name = unique("exp")
    client.create_experiment(name)
    with pytest.raises(MlflowException, match="already exists") as refused:
        client.create_experiment(name)
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_renaming_moves_the_name(client: MlflowClient, unique) -> None:
    old, new = unique("old"), unique("new")
    experiment_id = client.create_experiment(old)
    client.rename_experiment(experiment_id, new)
    assert client.get_experiment(experiment_id).name == new
    assert client.get_experiment_by_name(old) is None
    client.create_experiment(old)  # the old name is free again


def test_tags_are_set_replaced_and_deleted(client: MlflowClient, experiment_id: str) -> None:
    client.set_experiment_tag(experiment_id, "k", "1")
    client.set_experiment_tag(experiment_id, "k", "2")
    client.set_experiment_tag(experiment_id, "multi line", "a\nb\n\n## markdown")
    assert client.get_experiment(experiment_id).tags == {"k": "2", "multi line": "a\nb\n\n## markdown"}
    client.delete_experiment_tag(experiment_id, "k")
    assert "k" not in client.get_experiment(experiment_id).tags


def test_a_name_may_hold_any_script(client: MlflowClient, unique) -> None:
    name = unique("实验 Größe 🚀 / sub:folder %2e 'quoted' \"double\"")
    experiment_id = client.create_experiment(name)
    assert client.get_experiment_by_name(name).experiment_id == experiment_id
    assert client.get_experiment(experiment_id).name == name


def test_search_filters_by_name_and_tag(client: MlflowClient, unique) -> None:
    stem = unique("Find")
    ids = {suffix: client.create_experiment(f"{stem}-{suffix}", tags={"stem": stem, "suffix": suffix}) for suffix in "abc"}

    def found(filter_string: str) -> set[str]:
        return {experiment.experiment_id for experiment in client.search_experiments(filter_string=filter_string)}

    assert found(f"name = '{stem}-a'") == {ids["a"]}
    assert found(f"name LIKE '{stem}%'") == set(ids.values())
    assert found(f"name LIKE '{stem.lower()}%'") == set()
    assert found(f"name ILIKE '{stem.lower()}%'") == set(ids.values())
    assert found(f"tags.stem = '{stem}' AND tags.suffix != 'b'") == {ids["a"], ids["c"]}
    assert found(f"attribute.name LIKE '%{stem}-c'") == {ids["c"]}
    assert found(f"tags.`suffix` = 'c' and name LIKE '{stem}%'") == {ids["c"]}
    assert found(f"name = '{stem}-none'") == set()


def test_search_orders_and_pages(client: MlflowClient, unique) -> None:
    stem = unique("page")
    for number in range(7):
        client.create_experiment(f"{stem}-{number}")
    filter_string = f"name LIKE '{stem}%'"
    names: list[str] = []
    token = None
    pages = 0
    while True:
        page = client.search_experiments(filter_string=filter_string, max_results=3, order_by=["name DESC"], page_token=token)
        names += [experiment.name for experiment in page]
        pages += 1
        token = page.token
        if not token:
            break
    assert names == [f"{stem}-{number}" for number in reversed(range(7))]
    assert pages == 3
    ascending = client.search_experiments(filter_string=filter_string, order_by=["creation_time ASC", "name ASC"])
    assert [experiment.name for experiment in ascending] == sorted(names)


def test_search_shows_deleted_experiments_only_when_asked(client: MlflowClient, unique) -> None:
    stem = unique("stage")
    kept, deleted = client.create_experiment(f"{stem}-kept"), client.create_experiment(f"{stem}-deleted")
    client.delete_experiment(deleted)

    def found(view: int) -> set[str]:
        page = client.search_experiments(view_type=view, filter_string=f"name LIKE '{stem}%'")
        return {experiment.experiment_id for experiment in page}

    assert found(ViewType.ACTIVE_ONLY) == {kept}
    assert found(ViewType.DELETED_ONLY) == {deleted}
    assert found(ViewType.ALL) == {kept, deleted}


@pytest.mark.parametrize("filter_string", ["bogus = 'x'", "name > 'a'", "name = 1", "tags.k =", "name = 'a' OR name = 'b'"])
def test_a_wrong_filter_is_refused(client: MlflowClient, filter_string: str) -> None:
    with pytest.raises(MlflowException) as refused:
        client.search_experiments(filter_string=filter_string)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_eight_processes_that_set_one_experiment_all_get_it(server_url: str, unique) -> None:
    name = unique("race")
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    barrier = context.Barrier(8)

    def set_experiment() -> None:
        barrier.wait(60)
        try:
            answers.put(mlflow.set_experiment(name).experiment_id)
        except MlflowException as error:
            answers.put(str(error))

    processes = [context.Process(target=set_experiment) for _ in range(8)]
    for process in processes:
        process.start()
    found = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(60)
    assert found == {MlflowClient(server_url).get_experiment_by_name(name).experiment_id}
