"""What a deployment answers is sampled, compared with what its model learnt from, judged by labels, and watched by rules."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tritonclient.http

from support.cli import run_lathe
from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

pytestmark = pytest.mark.lathe_only

HOUR_MS = 3_600_000
#: A Monday at noon, UTC, long ago.
START_MS = 1_372_680_000_000
INPUTS = ["temp", "wind"]

#: Knows pandas, S3's environment variables and MLflow.
TRAIN = """
import mlflow
import pandas as pd
from sklearn.linear_model import LogisticRegression

rows = pd.read_csv("s3://weather/main/history.csv")
inputs = rows[["temp", "wind"]]
fitted = LogisticRegression(max_iter=1000).fit(inputs, rows["late"])
mlflow.sklearn.log_model(
    fitted, name="model", registered_model_name="late", pyfunc_predict_fn="predict_proba", input_example=inputs.head(2),
    signature=mlflow.models.infer_signature(inputs, fitted.predict_proba(inputs)),
)
"""


def table(centre: float, rows: int = 400) -> pd.DataFrame:
    """Rows with temperatures of 20 degrees from the centre on, and what they were followed by."""
    temperatures = np.array([centre + (at * 7 % 40) / 2 for at in range(rows)])
    wind = np.array([float(at % 13) for at in range(rows)])
    return pd.DataFrame({"temp": temperatures, "wind": wind, "late": (temperatures > 10).astype(int)})


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Watched"]:
    from support.databases import drop_database, new_database_url

    folder = tmp_path_factory.mktemp("monitoring")
    server = LatheServer(folder, new_database_url(None), (), {"LATHE_SERVING_PYTHON": sys.executable}).start()
    watched = Watched(server, folder)
    watched.train()
    watched.create("late")
    yield watched
    server.stop()
    drop_database(server.database_url)


@pytest.fixture(autouse=True)
def tidy(watched) -> Iterator[None]:
    """Each deployment is a process: none outlives its test, but for `late`."""
    yield
    for one in watched.http.ok(watched.http.get("/api/v1/deployments"))["deployments"]:
        if one["name"] != "late":
            watched.http.request("DELETE", f"/api/v1/deployments/{one['name']}")


class Watched:
    """A server with the model `late`, and what the tests do with its deployments."""

    def __init__(self, server: LatheServer, folder: Path):
        self.server, self.folder, self.http = server, folder, Http(server.url)

    def lathe(self, *words: str, code: int = 0) -> subprocess.CompletedProcess:
        done = run_lathe(self.server.url, *words, cwd=self.folder, HOME=str(self.folder))
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def train(self) -> None:
        table(0).to_csv(self.folder / "history.csv", index=False)
        (self.folder / "train.py").write_text(TRAIN)
        self.lathe("repo", "create", "weather")
        self.lathe("cp", "history.csv", "data://weather@main/history.csv")
        self.lathe("commit", "weather", "-m", "history")
        self.lathe("run", "-e", "late", "--", sys.executable, "train.py")

    def create(self, name: str, **settings: object) -> str:
        self.http.ok_any(self.http.post("/api/v1/deployments", {"name": name, "model": "models:/late/1"}))
        wait_for(f"{name} to be ready", lambda: self.http.get(f"/api/v1/deployments/{name}").json()["state"] == "ready", 90)
        if settings:
            self.http.ok(self.http.request("PUT", f"/api/v1/deployments/{name}/monitoring", settings))
        return name

    def get(self, name: str, what: str, **query: object) -> dict:
        return self.http.ok(self.http.get(f"/api/v1/deployments/{name}/{what}", **query))

    def post(self, name: str, what: str, body: dict):
        return self.http.post(f"/api/v1/deployments/{name}/{what}", body)

    def ask(self, name: str, rows: pd.DataFrame, **headers: str) -> str:
        body = {"dataframe_split": json.loads(rows[INPUTS].to_json(orient="split", index=False))}
        answer = self.http.post(f"/serving/{name}/invocations", body, headers={key.replace("_", "-"): value for key, value in headers.items()})
        self.http.ok(answer)
        return answer.headers["x-request-id"]

    def wait_for_rows(self, name: str, rows: int) -> None:
        kept = lambda: sum(window["rows"] for window in self.get(name, "traffic")["windows"])
        wait_for(f"{rows} rows of {name}", lambda: kept() >= rows, 30, pause=0.1)


def test_traffic_of_all_dialects_is_counted_with_its_errors(watched):
    name = watched.create("counted", allows_replay=True)
    # All at one time: the present hour may end between two requests.
    at = {"x-lathe-time": str(START_MS)}
    for _ in range(3):
        watched.ask(name, table(0, 2), **at)
    client = tritonclient.http.InferenceServerClient(watched.server.url.removeprefix("http://"))
    tensors = []
    for column in INPUTS:
        tensors.append(tritonclient.http.InferInput(column, [2], "FP64"))
        tensors[-1].set_data_from_numpy(np.array([1.0, 2.0]))
    client.infer(name, tensors, headers=dict(at))
    refused = watched.http.post(f"/serving/{name}/invocations", {"dataframe_split": {"columns": ["temp"], "data": [[1.0]]}}, headers=at)
    assert refused.status_code == 400
    watched.wait_for_rows(name, 8)
    [window] = watched.get(name, "traffic")["windows"]
    assert (window["requests"], window["errors"], window["error_rate"]) == (5, {"invalid_argument": 1}, 0.0)
    assert 0 < window["p50_ms"] <= window["p99_ms"]
    outputs = [column["name"] for column in watched.get(name, "drift")["windows"][0]["columns"] if column["part"] == "output"]
    assert outputs == ["predictions.0", "predictions.1"]


def test_what_the_model_learnt_from_is_found_by_lineage_and_drift_is_seen(watched):
    name = watched.create("drifting", allows_replay=True)
    for hour, centre in enumerate([0, 0, 12]):
        watched.ask(name, table(centre), x_lathe_time=str(START_MS + hour * HOUR_MS))
    watched.wait_for_rows(name, 1200)
    wait_for("the reference", lambda: watched.get(name, "drift").get("reference"), 30)
    report = watched.get(name, "drift")
    assert report["reference"]["rows"] == 400 and "history.csv" in report["reference"]["source"]
    assert [window["start_ms"] for window in report["windows"]] == [START_MS + hour * HOUR_MS for hour in range(3)]
    assert [window["drift_share"] for window in report["windows"]] == [0, 0, 0.5]
    [temperature] = [column for column in report["windows"][2]["columns"] if column["name"] == "temp"]
    tests = {test["test"]: test for test in temperature["tests"]}
    assert temperature["is_drifted"] and tests["psi"]["is_drifted"]
    up = watched.http.ok(watched.http.get("/api/v1/lineage", name=f"default/deployment/{name}", direction="up", depth=3))
    assert any(edge["kind"] == "reference" and "/data/weather@" in edge["from"] for edge in up["edges"])


def test_late_labels_become_quality_and_a_rule_raises_an_alert_that_is_an_event(watched):
    name = watched.create("judged", allows_replay=True, score_column="predictions.1")
    rule = {"name": "brier", "metric": "quality", "measure": "brier", "threshold": 0.2, "min_rows": 100, "severity": "critical"}
    assert watched.post(name, "alert-rules", rule).status_code == 201
    assert watched.post(name, "alert-rules", rule).status_code == 409
    rows = table(0, 200)
    labels = []
    for hour, is_turned in enumerate([False, True]):
        own = f"batch-{hour}"
        watched.ask(name, rows, x_lathe_time=str(START_MS + hour * HOUR_MS), x_request_id=own)
        late = 1 - rows["late"] if is_turned else rows["late"]
        labels += [{"client_request_id": own, "row": at, "label": int(value)} for at, value in enumerate(late)]
    watched.wait_for_rows(name, 400)
    assert all(window["labelled"] == 0 for window in watched.get(name, "quality")["windows"])
    added = watched.http.ok(watched.post(name, "labels", {"labels": labels}))
    assert (added["added"], added["unknown_labels"]) == (400, 0)
    again = watched.http.ok(watched.post(name, "labels", {"labels": labels}))
    assert (again["added"], again["unchanged"]) == (0, 400)
    good, bad = watched.get(name, "quality")["windows"]
    assert good["labelled"] == 200 and good["measures"]["auc"] > 0.95 > 0.2 > bad["measures"]["auc"]
    assert good["measures"]["accuracy"] + bad["measures"]["accuracy"] == pytest.approx(1)
    wait_for("the alert", lambda: watched.get(name, "alerts")["alerts"], 60)
    [alert] = watched.get(name, "alerts", only_open="true")["alerts"]
    assert (alert["rule"], alert["severity"], alert["window_start_ms"]) == ("brier", "critical", START_MS + HOUR_MS)
    assert alert["value"] == pytest.approx(bad["measures"]["brier"])

    def raised() -> list[dict]:
        events = watched.http.ok(watched.http.get("/api/v1/activity", action="alert.raised"))["events"]
        return [event for event in events if event["subject"].endswith(f"/{name}")]

    # The feed shows what is sealed, about a second later.
    wait_for("the event", raised, 30)
    assert len(raised()) == 1

    # Two hours later it answers well again: that window resolves the alert, and is named.
    good_ms = START_MS + 3 * HOUR_MS
    watched.ask(name, rows, x_lathe_time=str(good_ms), x_request_id="good-again")
    watched.wait_for_rows(name, 600)
    labels = [{"client_request_id": "good-again", "row": at, "label": int(value)} for at, value in enumerate(rows["late"])]
    assert watched.http.ok(watched.post(name, "labels", {"labels": labels}))["added"] == 200
    watched.lathe("monitor", "check", name)
    [alert] = watched.get(name, "alerts")["alerts"]
    assert (alert["window_start_ms"], alert["resolved_window_start_ms"]) == (START_MS + HOUR_MS, good_ms)
    assert alert["raised_at_ms"] <= alert["resolved_at_ms"]
    [listed] = json.loads(watched.lathe("monitor", "alerts", name, "-o", "json").stdout)
    assert listed["resolved_window_start_ms"] == good_ms


def test_rules_about_drift_missing_values_and_predictions_raise_alerts(watched):
    """What the model learnt from has no outputs, so that drift of predictions wants a window of traffic to compare with."""
    name = watched.create("ruled", allows_replay=True)
    said = watched.lathe("monitor", "reference", name, code=3).stderr
    assert f"lathe monitor reference {name} --training" in said and "/api/v1" not in said, said
    watched.ask(name, table(0), x_lathe_time=str(START_MS))
    watched.wait_for_rows(name, 400)
    wait_for("the reference", lambda: watched.get(name, "drift").get("reference"), 30)
    predictions = {"name": "predictions", "metric": "prediction_drift_share", "threshold": 0.5}
    refused = watched.post(name, "alert-rules", predictions)
    assert refused.status_code == 400 and "--window" in refused.text, refused.text
    # As the tables print it.
    [window] = [line for line in watched.lathe("monitor", "traffic", name).stdout.splitlines() if "primary" in line]
    watched.lathe("monitor", "reference", name, "--window", " ".join(window.split()[:2]))
    assert watched.get(name, "reference")["source"] == f"window {START_MS}"
    made = [
        predictions,
        {"name": "ks", "metric": "ks_p_value", "column": "temp", "threshold": 0.05},
        {"name": "js", "metric": "jensen_shannon", "column": "predictions.1", "threshold": 0.1},
        {"name": "missing", "metric": "missing_share", "column": "wind", "threshold": 0.2},
        {"name": "all is there", "metric": "missing_share", "column": "temp", "threshold": 0},
    ]
    for rule in made[:-1]:
        assert watched.post(name, "alert-rules", rule).status_code == 201, rule
    watched.lathe("monitor", "rule", "create", name, "all is there", "--metric", "missing-share", "--column", "temp", "--threshold", "0")
    told = " ".join(watched.lathe("monitor", "rule", "create", "--help").stdout.split())
    [bound] = re.findall(r"Jensen-Shannon distance of `column`, from 0 to ([0-9.]+);", told)
    watched.lathe("monitor", "rule", "create", name, "far", "--metric", "jensen-shannon", "--column", "temp", "--threshold", bound)
    watched.lathe("monitor", "rule", "delete", name, "far", "--yes")
    rows = table(12)
    watched.ask(name, rows, x_lathe_time=str(START_MS + HOUR_MS))
    watched.wait_for_rows(name, 800)
    wait_for("the alerts", lambda: len(watched.get(name, "alerts")["alerts"]) >= 3, 60)
    watched.http.ok(watched.post(name, "check", {}))
    assert {alert["rule"] for alert in watched.get(name, "alerts")["alerts"]} == {"predictions", "ks", "js"}


def test_an_alert_starts_the_pipelines_that_wait_for_what_it_is_about(watched, unique):
    name = watched.create("awaited", allows_replay=True)
    watched.ask(name, table(0), x_lathe_time=str(START_MS))
    watched.wait_for_rows(name, 400)
    wait_for("the reference", lambda: watched.get(name, "drift").get("reference"), 30)
    pipelines = {}
    for kind, fields in (("drift", ""), ("load", ", metrics: [rows, error_rate]"), ("named", ", rules: [few]"), ("both", ", metrics: psi, rules: few")):
        pipelines[kind] = unique(kind)
        file = f"name: {pipelines[kind]}\non: {{ drift_alert: {{ deployment: {name}{fields}, cooldown: 1s }} }}\njobs: {{ tell: {{ run: 'echo ${{{{ trigger.metric }}}}' }} }}\n"
        watched.http.ok_any(watched.http.post("/api/v1/pipelines", {"file": file}))
    for rule in ({"name": "far", "metric": "psi", "column": "temp", "threshold": 0.2}, {"name": "few", "metric": "rows", "threshold": 1e6}):
        assert watched.post(name, "alert-rules", rule).status_code == 201
    watched.ask(name, table(12), x_lathe_time=str(START_MS + HOUR_MS))
    watched.wait_for_rows(name, 800)

    def causes(kind: str) -> list[tuple[str, str]]:
        runs = watched.http.ok(watched.http.get("/api/v1/pipeline-runs", pipeline=pipelines[kind]))["runs"]
        return [(run["trigger_detail"]["rule"], run["trigger_detail"]["metric"]) for run in runs]

    # Both alerts were read once both kinds of pipelines have started.
    wait_for("the pipelines", lambda: all(causes(kind) for kind in ("drift", "load", "named")), 90)
    assert {kind: causes(kind) for kind in pipelines} == {"drift": [("far", "psi")], "load": [("few", "rows")], "named": [("few", "rows")], "both": []}


def test_a_prediction_leads_to_the_data_that_its_model_learnt_from(watched, unique):
    request_id = watched.ask("late", table(0, 1))
    watched.wait_for_rows("late", 1)
    for written in (request_id, f"prediction/{request_id}"):
        done = watched.lathe("lineage", "why", written, "-o", "json")
        names = [node["name"] for node in json.loads(done.stdout)["nodes"]]
        for part in ("/deployment/late", "/model/late/1", "/run/", "/data/weather@"):
            assert any(part in name for name in names), (part, names)
    assert watched.http.get("/api/v1/lineage", name="default/prediction/nobody").status_code == 404
    # A client's own id names no request: the answer says what was looked for.
    said = watched.lathe("lineage", "why", "o1", code=3).stderr
    assert all(word in said for word in ('"o1"', "model", "run", "request", "x-request-id")), said
    project = unique("elsewhere")
    watched.http.ok_any(watched.http.post("/api/v1/projects", {"name": project}))
    for name in (f"{project}/prediction/{request_id}", f"default/prediction/{request_id}"):
        elsewhere = watched.http.get(f"/p/{project}/api/v1/lineage", name=name)
        assert elsewhere.status_code == 404 and "/model/" not in elsewhere.text, elsewhere.text


def test_what_is_acknowledged_survives_a_kill_and_a_stop_loses_nothing(watched):
    name = watched.create("durable")

    def rows() -> int:
        return sum(window["rows"] for window in watched.get(name, "traffic")["windows"])

    watched.ask(name, table(0, 5))
    # Not acknowledged yet, most likely: a server that stops writes what it still has.
    watched.server.stop()
    watched.server.start()
    watched.http.base_url = watched.server.url
    assert rows() == 5
    wait_for("it to answer again", lambda: watched.http.get(f"/serving/{name}/ping").ok, 90)
    request_id = watched.ask(name, table(0, 7))
    # The first answer that shows it acknowledges it; so does a label that was taken.
    watched.wait_for_rows(name, 12)
    added = watched.http.ok(watched.post(name, "labels", {"labels": [{"request_id": request_id, "row": 6, "label": 1}]}))
    assert (added["added"], added["unknown_labels"]) == (1, 0)
    watched.server.kill()
    watched.server.start()
    assert rows() == 12
    assert sum(window["labelled"] for window in watched.get(name, "quality")["windows"]) == 1
    wait_for("it to answer again", lambda: watched.http.get(f"/serving/{name}/ping").ok, 90)
    for _ in range(20):
        watched.ask(name, table(0, 3))
    watched.server.kill()
    watched.server.start()
    windows = watched.get(name, "traffic")["windows"]
    kept = sum(window["requests"] for window in windows) - 2
    assert 0 <= kept <= 20 and rows() == 12 + 3 * kept, "a request is there with all its rows, or not at all"


@pytest.mark.parametrize(
    ("method", "what", "body", "status", "words"),
    [
        ("PUT", "monitoring", {"window_ms": 5}, 400, "window_ms"),
        ("PUT", "monitoring", {"windows": 5}, 400, "windows"),
        ("POST", "alert-rules", {"name": "x", "metric": "psi", "threshold": 1}, 400, "column"),
        ("POST", "alert-rules", {"name": "x", "metric": "beauty", "threshold": 1}, 400, "beauty"),
        ("POST", "alert-rules", {"name": "x", "metric": "error_rate", "threshold": 7}, 400, "at least 0 and below 1"),
        ("POST", "alert-rules", {"name": "x", "metric": "drift_share", "threshold": 0}, 400, "above 0 and at most 1"),
        ("POST", "alert-rules", {"name": "x", "metric": "psi", "column": "nope", "threshold": 0.2}, 400, "nope"),
        ("POST", "alert-rules", {"name": "x", "metric": "missing_share", "column": "nope", "threshold": 0.2}, 400, "nope"),
        ("POST", "alert-rules", {"name": "x", "metric": "rows", "column": "temp", "threshold": 1}, 400, "column"),
        ("POST", "labels", {"labels": [{"label": 1}]}, 400, "request_id"),
        ("POST", "labels", {"labels": [{"request_id": "a", "label": [1]}]}, 400, "number"),
        ("PUT", "reference", {"from": "window", "window_start_ms": 12}, 404, "window"),
        ("PUT", "reference", {"from": "data", "repository": "nobody", "ref": "main", "path": "x"}, 404, "nobody"),
        ("PUT", "reference", {"from": "data", "repository": "weather", "ref": "main", "path": "../x"}, 404, "../x"),
        ("PUT", "reference", {"from": "dreams"}, 400, "dreams"),
        ("GET", "drift?windows=0", None, 400, "windows"),
        ("GET", "traffic?from_ms=soon", None, 400, "from_ms"),
        ("DELETE", "alert-rules/nobody", None, 404, "nobody"),
    ],
)
def test_bad_requests_are_named(watched, method, what, body, status, words):
    # Its signature is known while it answers.
    wait_for("late to answer", lambda: watched.http.get("/serving/late/ping").ok, 90)
    answer = watched.http.request(method, f"/api/v1/deployments/late/{what}", body)
    assert answer.status_code == status and words in answer.text, answer.text
    unknown = watched.http.request(method, f"/api/v1/deployments/unknown/{what}", body)
    assert unknown.status_code in (400, 404), unknown.text


def test_a_time_that_is_none_is_refused_and_counts_nothing(watched):
    name = watched.create("timed", allows_replay=True)
    body = {"dataframe_split": {"columns": INPUTS, "data": [[1.0, 2.0]]}}
    for wrong in ("soon", "", "1e3", "-"):
        answer = watched.http.post(f"/serving/{name}/invocations", body, headers={"x-lathe-time": wrong})
        assert answer.status_code == 400 and "x-lathe-time" in answer.text, (wrong, answer.text)
    # Samples are written in order: when the next one is there, the refused ones would be, too.
    watched.ask(name, table(0, 2), x_lathe_time=str(START_MS))
    watched.wait_for_rows(name, 2)
    [window] = watched.get(name, "traffic")["windows"]
    assert (window["requests"], window["rows"], window["errors"]) == (1, 2, {})


def test_the_command_line_shows_and_judges(watched):
    name = watched.create("commanded", allows_replay=True)
    watched.ask(name, table(0), x_lathe_time=str(START_MS))
    watched.ask(name, table(12), x_lathe_time=str(START_MS + HOUR_MS))
    watched.wait_for_rows(name, 800)
    watched.lathe("monitor", "reference", name, "--data", "data://weather@main/history.csv")
    [row] = [json.loads(line) for line in watched.lathe("monitor", "drift", name, "-o", "jsonl").stdout.splitlines() if '"temp"' in line]
    assert row["drifted"] is True
    assert "temp" in watched.lathe("monitor", "drift", name).stdout
    watched.lathe("monitor", "rule", "create", name, "drift", "--metric", "drift-share", "--threshold", "0.4")
    assert "drift" in watched.lathe("monitor", "rule", "list", name).stdout
    done = watched.lathe("monitor", "check", name, code=6)
    assert "drift" in done.stdout
    (watched.folder / "labels.csv").write_text("client_request_id,row,label\nnobody,0,1\n")
    assert "1 label" in watched.lathe("monitor", "labels", name, "@labels.csv").stderr
    assert len(watched.lathe("monitor", "traffic", name, "-o", "jsonl").stdout.splitlines()) == 2
    watched.lathe("monitor", "rule", "delete", name, "drift", "--yes")
    watched.lathe("monitor", "check", name)
    assert "nobody" in watched.lathe("monitor", "drift", "nobody", code=3).stderr


def test_a_column_is_known_before_the_model_answers(watched):
    name = "begun"
    watched.http.ok_any(watched.http.post("/api/v1/deployments", {"name": name, "model": "models:/late/1"}))
    rule = {"name": "psi", "metric": "psi", "column": "zz", "threshold": 0.3}
    refused = watched.post(name, "alert-rules", rule)
    assert (refused.status_code, "has no column `zz`" in refused.text) == (400, True), refused.text
    assert watched.post(name, "alert-rules", rule | {"column": "temp"}).status_code == 201
    settings = lambda **change: watched.http.request("PUT", f"/api/v1/deployments/{name}/monitoring", change)
    refused = settings(score_column="nope")
    assert (refused.status_code, "has no column `nope`" in refused.text, "predictions" in refused.text) == (400, True, True), refused.text
    assert settings(score_column="temp").status_code == 400, "an input is no answer"
    watched.http.ok(settings(score_column="predictions.1"))


def test_what_a_change_of_settings_leaves_out_stays(watched):
    name = watched.create("settled", window_ms=60_000, score_column="predictions.1", allows_replay=True)
    watched.ask(name, table(0, 3))
    watched.wait_for_rows(name, 3)
    answer = watched.http.ok(watched.http.request("PUT", f"/api/v1/deployments/{name}/monitoring", {"score_column": None}))
    assert (answer["window_ms"], answer["allows_replay"], "score_column" in answer) == (60_000, True, False)
    answer = json.loads(watched.lathe("monitor", "settings", name, "--score-column", "predictions.1", "--sample-share", "0.5").stdout)
    assert (answer["score_column"], answer["sample_share"], answer["window_ms"]) == ("predictions.1", 0.5, 60_000)
    answer = json.loads(watched.lathe("monitor", "settings", name, "--score-column", "").stdout)
    assert ("score_column" in answer, answer["sample_share"]) == (False, 0.5)
    for words, code, said in [
        (("--window", "2m"), 5, "has windows of 1m already"),
        (("--window", "0s"), 2, "it must be from 1s to 31d"),
        (("--window", "abc"), 2, "`abc` is no duration; write 30s, 5m, 1h or 7d"),
        (("--sample-share", "nan"), 2, "`nan` is no number"),
        (("--score-column", "nope"), 2, "has no column `nope`"),
    ]:
        assert said in watched.lathe("monitor", "settings", name, *words, code=code).stderr
    rule = ("monitor", "rule", "create", name, "wrong", "--metric", "psi", "--column", "temp", "--threshold", "nan")
    assert "`nan` is no number" in watched.lathe(*rule, code=2).stderr
    (watched.folder / "wrong.csv").write_text("x,label\na,1\n")
    said = watched.lathe("monitor", "labels", name, "@wrong.csv", code=2).stderr
    assert "wrong.csv holds no labels: its columns are x, label; they must be request_id or client_request_id" in said


def test_deleting_a_deployment_forgets_its_samples(watched):
    name = watched.create("gone")
    watched.ask(name, table(0, 3))
    watched.wait_for_rows(name, 3)
    watched.http.ok_any(watched.http.request("DELETE", f"/api/v1/deployments/{name}"))
    assert watched.http.get(f"/api/v1/deployments/{name}/traffic").status_code == 404
    watched.create(name)
    assert watched.get(name, "traffic")["windows"] == []
