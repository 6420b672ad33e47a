"""Parent and child runs."""

import mlflow
from mlflow import MlflowClient


def test_children_know_their_parent(client: MlflowClient, fluent_experiment: str) -> None:
    with mlflow.start_run(run_name="parent") as parent:
        for depth in (1, 2):
            with mlflow.start_run(run_name=f"child {depth}", nested=True) as child:
                mlflow.log_param("depth", depth)
                with mlflow.start_run(run_name=f"grandchild of {depth}", nested=True) as grandchild:
                    mlflow.log_metric("m", depth)
    assert client.get_parent_run(parent.info.run_id) is None
    assert client.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id
    assert client.get_parent_run(grandchild.info.run_id).info.run_id == child.info.run_id


def test_children_are_found_by_the_tag_of_their_parent(client: MlflowClient, fluent_experiment: str) -> None:
    with mlflow.start_run() as parent:
        children = []
        for _ in range(3):
            with mlflow.start_run(nested=True) as child:
                children.append(child.info.run_id)
    found = client.search_runs([fluent_experiment], filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert {run.info.run_id for run in found} == set(children)
    quoted = client.search_runs([fluent_experiment], filter_string=f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert {run.info.run_id for run in quoted} == set(children)


def test_a_parent_can_be_named_when_a_child_is_created(client: MlflowClient, fluent_experiment: str) -> None:
    parent = client.create_run(fluent_experiment, run_name="parent")
    with mlflow.start_run(nested=True, parent_run_id=parent.info.run_id) as child:
        pass
    assert client.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id
