"""search_runs: filters, order, paging."""

import math

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_USER

from support.http import Http


@pytest.fixture(scope="module")
def runs(server_url: str) -> dict[str, str]:
    """Four runs a, b, c, d in one experiment; maps a name to its run id, and `experiment` to the experiment's id."""
    import uuid

    client = MlflowClient(server_url)
    experiment_id = client.create_experiment(f"search-{uuid.uuid4().hex}")
    made = {"experiment": experiment_id}
    for number, name in enumerate("abcd"):
        tags = {"group": "even" if number % 2 == 0 else "odd", MLFLOW_USER: f"user-{name}"}
        run = client.create_run(experiment_id, start_time=1000 + number, run_name=f"Run {name}", tags=tags)
        made[name] = run.info.run_id
        client.log_batch(
            run.info.run_id,
            metrics=[Metric("loss", 1.0 / (number + 1), 1, 0), Metric("val/acc top", number, 1, 0)],
            params=[Param("depth", str(number)), Param("word", ["Alpha", "beta", "ALPHA", "100%"][number])],
            tags=[RunTag("with space", f"v{number}")],
        )
    client.log_metric(made["a"], "only a", 7, timestamp=1)
    client.log_param(made["b"], "only.b", "x")
    client.log_batch(made["d"], metrics=[Metric("loss", math.nan, 2, 1)])
    client.set_terminated(made["c"], end_time=5000)
    client.set_terminated(made["d"], "FAILED", end_time=6000)
    return made


FILTERS = {
    "": "abcd",
    "metrics.loss > 0.4": "ab",
    "metrics.loss >= 0.5": "ab",
    "metrics.loss = 0.5": "b",
    "metrics.loss != 0.5": "acd",
    "metrics.loss < 0.4": "c",
    "metric.loss <= 1": "abc",
    "metrics.loss > -1e3": "abc",
    "metrics.`val/acc top` >= 2": "cd",
    'metrics."val/acc top" = 0': "a",
    "metrics.`only a` > 0": "a",
    "params.depth = '1'": "b",
    "param.depth != '1'": "acd",
    "parameters.word = 'alpha'": "",
    "params.word LIKE 'A%'": "ac",
    "params.word LIKE '%lpha'": "a",
    "params.word ILIKE 'alpha'": "ac",
    "params.`only.b` = 'x'": "b",
    "params.nothing = 'x'": "",
    "params.`only.b` IS NULL": "acd",
    "params.`only.b` IS NOT NULL": "b",
    "params.`only.b` IS NULL AND tags.group = 'even'": "ac",
    "params.'only.b' is not null and metrics.'loss' > 0.4": "b",
    "tags.group = 'even'": "ac",
    "tag.group != 'even'": "bd",
    "tags.`with space` = 'v3'": "d",
    "tags.group ILIKE 'EV%'": "ac",
    "tags.mlflow.user = 'user-a'": "a",
    "tags.`mlflow.runName` = 'Run b'": "b",
    "attributes.status = 'RUNNING'": "ab",
    "attribute.status != 'RUNNING'": "cd",
    "status = 'FAILED'": "d",
    "run_name = 'Run c'": "c",
    "attributes.run_name LIKE 'Run%'": "abcd",
    "run_name ILIKE 'run A'": "a",
    "`Run name` = 'Run d'": "d",
    "start_time > 1001": "cd",
    "attributes.start_time <= 1001": "ab",
    "end_time >= 5000": "cd",
    "created > 1002": "d",
    "metrics.loss > 0.2 AND params.depth = '2'": "c",
    "metrics.loss > 0.2 and tags.group = 'even' and attributes.status = 'RUNNING'": "a",
    "params.depth = '1' AND params.depth = '2'": "",
    "attributes.user_id = 'nobody'": "",
}


@pytest.mark.parametrize(("filter_string", "names"), FILTERS.items())
def test_a_filter_finds_exactly(client: MlflowClient, runs, filter_string: str, names: str) -> None:
    found = client.search_runs([runs["experiment"]], filter_string, order_by=["start_time ASC"])
    back = {run_id: name for name, run_id in runs.items()}
    assert "".join(back[run.info.run_id] for run in found) == names


def test_run_ids_can_be_listed(client: MlflowClient, runs) -> None:
    def names(filter_string: str) -> str:
        found = client.search_runs([runs["experiment"]], filter_string, order_by=["start_time ASC"])
        back = {run_id: name for name, run_id in runs.items()}
        return "".join(back[run.info.run_id] for run in found)

    assert names(f"attributes.run_id IN ('{runs['a']}', '{runs['c']}')") == "ac"
    assert names(f"run_id NOT IN ('{runs['a']}')") == "bcd"
    assert names(f"run_id = '{runs['b']}'") == "b"
    assert names(f"attributes.run_id != '{runs['b']}'") == "acd"


ORDERS = {
    (): "dcba",  # the newest first
    ("start_time ASC",): "abcd",
    ("attributes.start_time DESC",): "dcba",
    ("metrics.loss ASC",): "cbad",  # NaN last
    ("metrics.loss DESC",): "abcd",  # NaN last here, too
    ("metrics.loss",): "cbad",
    ("params.depth DESC",): "dcba",
    ("params.word ASC", "start_time ASC"): "dcab",
    ("tags.group ASC", "start_time DESC"): "cadb",
    ("tag.group DESC", "metrics.`val/acc top` ASC"): "bdac",
    ("metrics.`only a` ASC", "start_time ASC"): "abcd",  # runs without the metric last
    ("metrics.`only a` DESC", "start_time DESC"): "adcb",
    ("attributes.status ASC", "start_time ASC"): "dcab",
    ("attributes.end_time ASC", "start_time ASC"): "cdab",
    ("run_name DESC",): "dcba",
}


@pytest.mark.parametrize(("order_by", "names"), ORDERS.items())
def test_runs_come_in_the_asked_order(client: MlflowClient, runs, order_by: tuple[str, ...], names: str) -> None:
    found = client.search_runs([runs["experiment"]], order_by=list(order_by))
    back = {run_id: name for name, run_id in runs.items()}
    assert "".join(back[run.info.run_id] for run in found) == names


@pytest.mark.parametrize("order_by", [[], ["metrics.loss DESC"], ["params.depth ASC"], ["attributes.status ASC"]])
@pytest.mark.parametrize("size", [1, 3, 4])
def test_pages_join_to_the_whole(client: MlflowClient, runs, order_by: list[str], size: int) -> None:
    whole = [run.info.run_id for run in client.search_runs([runs["experiment"]], order_by=order_by)]
    joined: list[str] = []
    token = None
    for _ in range(10):
        page = client.search_runs([runs["experiment"]], max_results=size, order_by=order_by, page_token=token)
        assert len(page) <= size
        joined += [run.info.run_id for run in page]
        token = page.token
        if not token:
            break
    assert joined == whole
    assert len(joined) == 4


def test_a_found_run_is_whole(client: MlflowClient, runs) -> None:
    found = client.search_runs([runs["experiment"]], "run_name = 'Run a'")[0]
    assert found.to_dictionary() == client.get_run(runs["a"]).to_dictionary()


def test_several_experiments_are_searched_together(client: MlflowClient, runs, experiment_id: str) -> None:
    other = client.create_run(experiment_id, start_time=1).info.run_id
    found = client.search_runs([runs["experiment"], experiment_id], order_by=["start_time ASC"])
    assert [run.info.run_id for run in found] == [other, *(runs[name] for name in "abcd")]
    assert client.search_runs([experiment_id], "metrics.loss > 0") == []


def test_deleted_runs_show_only_when_asked_for(client: MlflowClient, experiment_id: str) -> None:
    kept, deleted = (client.create_run(experiment_id).info.run_id for _ in range(2))
    client.delete_run(deleted)

    def found(view: int) -> set[str]:
        return {run.info.run_id for run in client.search_runs([experiment_id], run_view_type=view)}

    assert found(ViewType.ACTIVE_ONLY) == {kept}
    assert found(ViewType.DELETED_ONLY) == {deleted}
    assert found(ViewType.ALL) == {kept, deleted}


def test_an_unknown_experiment_has_no_runs(client: MlflowClient) -> None:
    assert client.search_runs(["987654321"]) == []
    assert client.search_runs([]) == []


WRONG_FILTERS = [
    "metrics.loss > 'word'",
    "metrics.loss LIKE '%'",
    "metrics.loss > ",
    "metrics.loss >> 1",
    "metrics.loss",
    "metrics.loss IN (1, 2)",
    "params.depth = 1",
    "params.depth > '1'",
    "tags.group = even",
    "status > 'RUNNING'",
    "attributes.bogus = 'x'",
    "bogus.key = 'x'",
    "metrics.loss > 1 OR metrics.loss < 0",
    "NOT metrics.loss > 1",
    "(metrics.loss > 1",
    "start_time > 'yesterday'",
    "run_id IN ()",
    "run_id IN ('unclosed)",
    "params.word RLIKE 'x'",
    "; DROP TABLE runs",
    "metrics.loss > 1; DELETE FROM runs",
    "1 = 1",
]


@pytest.mark.parametrize("filter_string", WRONG_FILTERS)
def test_a_wrong_filter_is_refused(client: MlflowClient, runs, filter_string: str) -> None:
    with pytest.raises(MlflowException) as refused:
        client.search_runs([runs["experiment"]], filter_string)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("order_by", ["metrics.loss FOO", "xx.y", "attributes.bogus", "metrics.loss ASC DESC"])
def test_a_wrong_order_is_refused(client: MlflowClient, runs, order_by: str) -> None:
    with pytest.raises(MlflowException) as refused:
        client.search_runs([runs["experiment"]], order_by=[order_by])
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("max_results", [0, -1, 50_001])
def test_a_page_size_outside_the_limits_is_refused(http: Http, runs, max_results: int) -> None:
    response = http.post("runs/search", {"experiment_ids": [runs["experiment"]], "max_results": max_results})
    assert response.status_code == 400
    assert response.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_a_page_token_that_nobody_gave_out_is_refused(http: Http, runs) -> None:
    response = http.post("runs/search", {"experiment_ids": [runs["experiment"]], "page_token": "!!!"})
    assert response.status_code == 400
    assert response.json()["error_code"] == "INVALID_PARAMETER_VALUE"
