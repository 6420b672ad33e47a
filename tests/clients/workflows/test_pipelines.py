"""Pipelines: what jobs get and give, what follows from how they end, and what people decide."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import run_lathe
from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

from .conftest import Pipelines

pytestmark = pytest.mark.lathe_only

LOOP = """
name: {name}
params:
  who: {{ type: str, default: you }}
jobs:
  first:
    outputs: {{ words: out/words.txt }}
    run: |
      mkdir -p out
      echo hello ${{{{ params.who }}}} > "$OUT_WORDS"
      echo "count=3" >> "$LATHE_VALUES"
  second:
    needs: [first]
    inputs: {{ words: "${{{{ jobs.first.outputs.words }}}}" }}
    matrix: {{ n: [1, 2, 3] }}
    best: {{ value: score, goal: maximize }}
    run: |
      cat "$IN_WORDS"
      echo "score=${{{{ matrix.n }}}}" >> "$LATHE_VALUES"
  third:
    needs: [second]
    if: "${{{{ jobs.first.values.count >= 3 }}}}"
    run: echo best is ${{{{ jobs.second.best.values.score }}}}
  never:
    needs: [third]
    if: "${{{{ jobs.second.best.values.score > 100 }}}}"
    run: echo no
"""


def test_jobs_pass_files_and_values_on(pipelines: Pipelines, name: str, http: Http):
    done = pipelines.run(LOOP.format(name=name))
    run = done["run"]["id"]
    assert done["run"]["status"] == "succeeded", done
    assert pipelines.jobs(run) == {
        "first": "succeeded", "second[0]": "succeeded", "second[1]": "succeeded", "second[2]": "succeeded",
        "third": "succeeded", "never": "skipped",
    }  # fmt: skip
    assert pipelines.log(run, "second[1]") == "hello you\n"
    assert pipelines.log(run, "third") == "best is 3\n"
    assert "does not hold" in pipelines.job(run, "never")["reason"]
    assert [one["layer"] for one in done["graph"]] == [0, 1, 2, 3]
    mlflow_run = http.ok(http.get("runs/get", run_id=pipelines.job(run, "first")["run_id"]))["run"]
    assert mlflow_run["info"]["status"] == "FINISHED"
    tags = {tag["key"]: tag["value"] for tag in mlflow_run["data"]["tags"]}
    assert (tags["lathe.pipeline_run"], tags["lathe.job"]) == (run, "first")


def test_values_reach_the_shell_as_values(pipelines: Pipelines, name: str, tmp_path: Path):
    evil = f"'; touch {tmp_path}/pwned; $(touch {tmp_path}/pwned) `touch {tmp_path}/pwned` \" \\ *"
    done = pipelines.run(LOOP.format(name=name), params={"who": evil})
    assert done["run"]["status"] == "succeeded", done
    assert pipelines.log(done["run"]["id"], "second[0]") == f"hello {evil}\n"
    assert not (tmp_path / "pwned").exists()


def test_the_files_of_a_cell_are_found_by_patterns(pipelines: Pipelines, name: str):
    done = pipelines.run(f"""
name: {name}
jobs:
  make:
    outputs: {{ data: out }}
    run: mkdir out && echo 1 > out/a.csv && echo 2 > out/b.csv
  read:
    needs: [make]
    matrix: {{ n: [1] }}
    inputs: {{ data: "${{{{ jobs.make.outputs.data }}}}" }}
    run: |
      cat $IN_DATA/*.csv
      echo "job=$LATHE_JOB" >> "$LATHE_VALUES"
      echo "path=${{IN_DATA##*/attempts/}}" >> "$LATHE_VALUES"
""")
    run = done["run"]["id"]
    assert done["run"]["status"] == "succeeded", (done, pipelines.log(run, "read[0]"))
    assert pipelines.log(run, "read[0]") == "1\n2\n"
    values = pipelines.job(run, "read[0]")["values"]
    assert values == {"job": "read[0]", "path": f"{run}/read.0-1/inputs/data"}


def test_what_is_left_out_of_an_output_is_named_in_the_log(pipelines: Pipelines, name: str, tmp_path: Path):
    (tmp_path / "secret").write_text("not for others")
    text = f"""
name: {name}
jobs:
  make:
    outputs: {{ out: out }}
    run: |
      mkdir -p out/sub
      echo kept > out/sub/file
      ln -s sub/file out/inside
      ln -s {tmp_path}/secret out/outside
      ln -s sub out/again
      mkfifo out/pipe
"""
    done = pipelines.run(text)
    assert done["run"]["status"] == "succeeded", done
    run = done["run"]["id"]
    assert pipelines.log(run, "make").splitlines() == [
        "[lathe] `again` is left out of output `out`: it is a link to a folder, to nothing or out of the output",
        "[lathe] `outside` is left out of output `out`: it is a link to a folder, to nothing or out of the output",
        "[lathe] `pipe` is left out of output `out`: it is neither a file nor a folder",
    ]
    http, run_id = pipelines.http, pipelines.job(run, "make")["run_id"]
    listed = http.ok(http.get("artifacts/list", run_id=run_id, path="outputs/out"))["files"]
    assert sorted(file["path"] for file in listed) == ["outputs/out/inside", "outputs/out/sub"]


def test_an_equal_job_is_not_done_again_and_says_why_when_it_is(pipelines: Pipelines, name: str):
    text = f"""
name: {name}
params: {{ n: {{ type: int, default: 1 }} }}
jobs:
  make:
    cache: true
    outputs: {{ out: out.txt }}
    run: |
      echo ${{{{ params.n }}}} > out.txt
      echo "n=${{{{ params.n }}}}" >> "$LATHE_VALUES"
  take:
    needs: [make]
    cache: true
    inputs: {{ it: "${{{{ jobs.make.outputs.out }}}}" }}
    run: cat "$IN_IT"
"""
    first = pipelines.run(text)
    again = pipelines.run(text)
    assert pipelines.jobs(again["run"]["id"]) == {"make": "cached", "take": "cached"}
    made = pipelines.job(again["run"]["id"], "make")
    assert made["cached_from"] == f"{first['run']['id']}/make"
    assert (made["values"], made["run_id"]) == ({"n": "1"}, pipelines.job(first["run"]["id"], "make")["run_id"])
    other = pipelines.run(text, params={"n": 2})
    assert pipelines.jobs(other["run"]["id"]) == {"make": "succeeded", "take": "succeeded"}
    assert "1 to 2" in pipelines.job(other["run"]["id"], "make")["reason"]
    assert "input `it`" in pipelines.job(other["run"]["id"], "take")["reason"]


WORDS = {"version": "1.10", "number": "007", "sha": "0123456", "power": "1234e56", "id": "12345678901234567890123", "note": "", "x": "null"}


def test_values_arrive_as_they_were_written(pipelines: Pipelines, name: str):
    write = "; ".join(f'echo "{key}={word}" >> "$LATHE_VALUES"' for key, word in WORDS.items())
    read = " ".join(f"<${{{{ jobs.write.values.{key} }}}}>" for key in WORDS)
    done = pipelines.run(f"""
name: {name}
jobs:
  write: {{ run: '{write}' }}
  read:
    needs: [write]
    if: "${{{{ jobs.write.values.version == '1.10' && jobs.write.values.number == 7 && jobs.write.values.note == '' }}}}"
    env: {{ variables: {{ TOLD: "{read}" }} }}
    run: echo "$TOLD" && echo "{read}"
  never: {{ needs: [write], if: "${{{{ jobs.write.values.number != '007' }}}}", run: echo }}
  cells:
    matrix: {{ fold: [01, 2], rate: [1e-4] }}
    run: echo ${{{{ matrix.fold }}}} ${{{{ matrix.rate }}}}
""")
    run = done["run"]["id"]
    assert done["run"]["status"] == "succeeded", [job["reason"] for job in done["jobs"]]
    assert pipelines.job(run, "write")["values"] == WORDS
    told = " ".join(f"<{word}>" for word in WORDS.values())
    assert pipelines.log(run, "read") == f"{told}\n{told}\n"
    assert pipelines.job(run, "never")["status"] == "skipped"
    assert [pipelines.log(run, f"cells[{cell}]") for cell in (0, 1)] == ["01 1e-4\n", "2 1e-4\n"]


def test_a_result_that_is_gone_stands_for_nothing(pipelines: Pipelines, name: str):
    http = pipelines.http
    text = f"name: {name}\njobs: {{ make: {{ cache: true, outputs: {{ out: out }}, run: mkdir -p out/sub && echo x > out/sub/file }} }}\n"
    job = lambda: pipelines.job(pipelines.run(text)["run"]["id"], "make")
    first = job()
    assert (first["status"], job()["status"]) == ("succeeded", "cached")
    uri = http.ok(http.get("runs/get", run_id=first["run_id"]))["run"]["info"]["artifact_uri"]
    place = uri.removeprefix("mlflow-artifacts:/")
    http.ok_any(http.request("DELETE", f"/api/2.0/mlflow-artifacts/artifacts/{place}/outputs/out/sub/file"))
    second = job()
    assert (second["status"], second["reason"]) == ("succeeded", "not cached: what it made is gone")
    assert job()["cached_from"].endswith("/make")
    http.ok(http.post("runs/delete", {"run_id": second["run_id"]}))
    third = job()
    assert (third["status"], third["reason"]) == ("succeeded", "not cached: what it made is gone")
    assert job()["run_id"] == third["run_id"]


def test_the_form_of_an_input_is_part_of_what_a_result_depends_on(pipelines: Pipelines, name: str, http: Http, unique):
    data = unique("data")
    http.ok_any(http.post("/api/v1/repos", {"name": data}))
    for path in ("x.csv", "d/x.csv"):
        http.ok_any(http.request("PUT", f"/api/v1/repos/{data}/refs/main/objects/{path}", data=b"1\n"))
    http.ok_any(http.post(f"/api/v1/repos/{data}/branches/main/commits", {"message": "x"}))

    def status(path: str, form: str) -> str:
        text = f"""
name: {name}
jobs: {{ a: {{ cache: true, inputs: {{ i: {{ from: "data://{data}@main/{path}", as: {form} }} }}, run: 'echo "$IN_I"' }} }}
"""
        return pipelines.run(text)["jobs"][0]["status"]

    found = [status(path, form) for path, form in (("x.csv", "path"), ("d", "path"), ("x.csv", "url"), ("d", "url"))]
    assert (found, status("d", "path")) == (["succeeded"] * 4, "cached")


def test_an_approval_has_begun_when_people_are_asked(pipelines: Pipelines, name: str):
    done = pipelines.run(f"""
name: {name}
jobs:
  ask: {{ approval: {{ timeout: 1s }} }}
  tell: {{ needs: [ask], if: "${{{{ failure() && jobs.ask.started }}}}", run: echo }}
""")
    assert {job["job"]: job["status"] for job in done["jobs"]} == {"ask": "failed", "tell": "succeeded"}


def test_a_failed_job_is_tried_again_as_its_file_says(pipelines: Pipelines, name: str, tmp_path: Path):
    counter = tmp_path / "tries"
    text = f"""
name: {name}
jobs:
  flaky:
    retry: {{ max: 2, backoff: fixed, initial: 1s, on: ["exit:75"] }}
    run: |
      echo x >> {counter}
      if [ $(wc -l < {counter}) -lt 3 ]; then exit 75; fi
  hopeless:
    retry: {{ max: 2, on: ["exit:75"] }}
    run: exit 3
  after:
    needs: [hopeless]
    run: echo never
  anyway:
    needs: [hopeless]
    if: "${{{{ failure() }}}}"
    run: echo tidied
"""
    done = pipelines.run(text)
    run = done["run"]["id"]
    assert done["run"]["status"] == "failed"
    assert pipelines.jobs(run) == {"flaky": "succeeded", "hopeless": "failed", "after": "skipped", "anyway": "succeeded"}
    assert pipelines.job(run, "flaky")["attempt"] == 3
    assert "exit code 3" in pipelines.job(run, "hopeless")["reason"]
    attempts = pipelines.http.ok(pipelines.http.get(f"/api/v1/pipeline-runs/{run}/jobs/flaky/attempts"))["attempts"]
    assert [(one["status"], one["exit_code"]) for one in attempts] == [("failed", 75), ("failed", 75), ("succeeded", 0)]


def test_a_run_goes_on_from_what_failed(pipelines: Pipelines, name: str, tmp_path: Path):
    text = f"""
name: {name}
jobs:
  first: {{ run: "echo x >> {tmp_path}/first" }}
  second: {{ needs: [first], run: "test -e {tmp_path}/ready" }}
  third: {{ needs: [second], run: echo done }}
"""
    run = pipelines.run(text)["run"]["id"]
    assert pipelines.jobs(run) == {"first": "succeeded", "second": "failed", "third": "skipped"}
    (tmp_path / "ready").touch()
    pipelines.http.ok(pipelines.http.post(f"/api/v1/pipeline-runs/{run}/retry"))
    assert pipelines.wait(run)["run"]["status"] == "succeeded"
    assert (tmp_path / "first").read_text() == "x\n"
    refused = pipelines.http.post(f"/api/v1/pipeline-runs/{run}/retry")
    assert (refused.status_code, "nothing failed" in refused.text) == (409, True)


def test_a_cancelled_run_leaves_no_process_behind(pipelines: Pipelines, name: str, tmp_path: Path):
    text = f"""
name: {name}
jobs:
  long:
    run: |
      sh -c 'while true; do date >> {tmp_path}/alive; sleep 0.1; done' &
      echo started
      sleep 300
  after: {{ needs: [long], run: echo no }}
"""
    run = pipelines.start(pipelines.push(text))
    wait_for("the job to print", lambda: "started" in pipelines.log(run, "long"), 30)
    pipelines.http.ok(pipelines.http.post(f"/api/v1/pipeline-runs/{run}/cancel"))
    done = pipelines.wait(run)
    assert (done["run"]["status"], pipelines.jobs(run)) == ("canceled", {"long": "canceled", "after": "canceled"})
    size = (tmp_path / "alive").stat().st_size
    time.sleep(0.5)
    assert (tmp_path / "alive").stat().st_size == size
    assert pipelines.http.post(f"/api/v1/pipeline-runs/{run}/cancel").status_code == 409


def test_a_job_that_takes_too_long_is_ended(pipelines: Pipelines, name: str):
    done = pipelines.run(f"name: {name}\njobs:\n  slow: {{ timeout: 1s, run: sleep 60 }}\n")
    assert done["run"]["status"] == "failed"
    assert "longer than 1s" in pipelines.job(done["run"]["id"], "slow")["reason"]


def test_the_end_of_a_long_log_is_kept_and_says_what_is_not(pipelines: Pipelines, name: str):
    printed, kept = 70 * 1024 * 1024, 64 * 1024 * 1024
    line = "0123456789abcde\n"
    script = f"yes {line.strip()} | head -c {printed - len('the end')}; printf 'the end'"
    run = pipelines.run(f'name: {name}\njobs:\n  long: {{ run: "{script}" }}\n')["run"]["id"]
    read = lambda offset: pipelines.http.ok(pipelines.http.get(f"/api/v1/pipeline-runs/{run}/jobs/long/logs", offset=offset))
    begin = read(0)
    first, rest = begin["text"].split("\n", 1)
    assert first == f"[lathe] the first {printed - kept} bytes are not kept: of a log, its last 64 MiB are"
    assert begin["next_offset"] == printed - kept + len(rest)
    assert rest == line * (len(rest) // len(line)) + line[: len(rest) % len(line)]
    # Whoever followed it while it was written goes on where they were.
    for offset in [kept + 1, printed - 100]:
        part = read(offset)
        assert (part["text"][:7], part["is_complete"]) == ((line * 2)[offset % len(line) :][:7], offset == printed - 100)
        assert part["next_offset"] == min(offset + 1024 * 1024, printed)
    assert part["text"].endswith("the end") and len(part["text"]) == 100
    assert read(printed) == part | {"text": ""}


def test_people_decide(pipelines: Pipelines, name: str):
    text = f"""
name: {name}
jobs:
  ask: {{ approval: {{ min: 1, timeout: 1h }} }}
  go: {{ needs: [ask], run: echo went }}
"""
    http = pipelines.http
    run = pipelines.start(pipelines.push(text))
    pipelines.wait_job(run, "ask", "awaiting_approval")
    waiting = [one for one in http.ok(http.get("/api/v1/approvals"))["approvals"] if one["pipeline_run_id"] == run]
    assert [(one["job"], one["min"], one["pipeline"]) for one in waiting] == [("ask", 1, name)]
    http.ok(http.post(f"/api/v1/pipeline-runs/{run}/jobs/ask/approve", {"comment": "looks right"}))
    assert pipelines.wait(run)["run"]["status"] == "succeeded"
    run = pipelines.start(name)
    pipelines.wait_job(run, "ask", "awaiting_approval")
    http.ok(http.post(f"/api/v1/pipeline-runs/{run}/jobs/ask/reject", {}))
    assert pipelines.wait(run)["run"]["status"] == "failed"
    assert pipelines.job(run, "ask")["reason"].startswith("rejected by")
    assert http.post(f"/api/v1/pipeline-runs/{run}/jobs/ask/approve", {}).status_code == 409


@pytest.mark.parametrize("on_conflict", ["queue", "cancel_running", "skip"])
def test_runs_of_one_group_are_at_work_one_after_the_other(pipelines: Pipelines, name: str, tmp_path: Path, on_conflict: str):
    text = f"""
name: {name}
concurrency: {{ group: {name}, on_conflict: {on_conflict} }}
jobs:
  wait: {{ run: "while ! test -e {tmp_path}/go; do sleep 0.1; done" }}
"""
    pipelines.push(text)
    first = pipelines.start(name)
    pipelines.wait_job(first, "wait", "running")
    if on_conflict == "skip":
        refused = pipelines.http.post(f"/api/v1/pipelines/{name}/runs", {})
        assert (refused.status_code, "group" in refused.text) == (409, True)
    else:
        second = pipelines.start(name)
        if on_conflict == "queue":
            assert (pipelines.status(second), pipelines.status(first)) == ("queued", "running")
        else:
            assert pipelines.wait(first)["run"]["status"] == "canceled"
    (tmp_path / "go").touch()
    if on_conflict != "skip":
        assert pipelines.wait(second)["run"]["status"] == "succeeded"
    if on_conflict == "queue":
        ended, started = (pipelines.get(first)["run"]["ended_at_ms"], pipelines.get(second)["run"]["started_at_ms"])
        assert started >= ended


def test_what_is_wrong_with_a_pipeline_is_said_and_nothing_is_stored(pipelines: Pipelines, name: str):
    http = pipelines.http
    for text, place, code in [
        (f"name: {name}\njobs:\n  a: {{ run: x, nedes: [b] }}\n", "3:16", "unknown_key"),
        (f"name: {name}\njobs:\n  a: {{ needs: [b], run: x }}\n  b: {{ needs: [a], run: x }}\n", "3:16", "cycle"),
        (f"name: {name}\njobs:\n  a: {{ inputs: {{ x: '${{{{ jobs.z.outputs.o }}}}' }}, run: x }}\n", "3:26", "unknown_job"),
        (f"name: {name}\njobs:\n  a: {{ outputs: {{ x: ../../etc/passwd }}, run: x }}\n", "3:22", "path_escapes"),
        ("a: [", "2:1", "yaml"),
        ("\x00", "1:1", "yaml"),
    ]:
        refused = http.post("/api/v1/pipelines", {"file": text})
        assert refused.status_code == 400, (text, refused.text)
        [mistake] = refused.json()["message"].splitlines()[1:]
        assert mistake.startswith(f"{place}: ") and mistake.endswith(f"[{code}]"), (text, mistake)
    assert http.get(f"/api/v1/pipelines/{name}").status_code == 404
    pipelines.push(f"name: {name}\nparams: {{ n: {{ type: int, min: 1, default: 1 }} }}\njobs:\n  a: {{ run: echo }}\n")
    for params in ({"n": 0}, {"n": "x"}, {"m": 1}):
        refused = http.post(f"/api/v1/pipelines/{name}/runs", {"params": params})
        assert refused.status_code == 400, refused.text
    pipelines.push(f"name: {name}\njobs:\n  a: {{ resources: {{ cpu: 5000 }}, run: echo }}\n")
    refused = http.post(f"/api/v1/pipelines/{name}/runs", {})
    assert (refused.status_code, "cores" in refused.text) == (400, True)
    assert pipelines.runs(name) == []
    for path in ("pipeline-runs/nope", "pipeline-runs/" + "0" * 32, "pipelines/..", f"pipelines/{name}/runs/1"):
        assert http.get(f"/api/v1/{path}").status_code in (404, 405), path


def test_a_run_is_told_what_its_params_and_trigger_can_be(pipelines: Pipelines, name: str, server_url: str):
    http = pipelines.http
    pipelines.push(f"name: {name}\nparams: {{ s: {{ type: str, default: x }} }}\njobs: {{ a: {{ run: 'echo ${{{{ params.s }}}}' }} }}\n")
    for body, told in [
        ({"trigger": {"comit": "0"}}, "did you mean `commit`?"),
        ({"trigger": {"nonsense": "1"}}, "it has repository, branch, commit"),
        ({"trigger": {"kind": "schedule"}}, "no `kind`"),
        ({"trigger": {"commit": {"a": 1}}}, "`commit` is a text"),
        ({"trigger": {"commit": 5}}, "`commit` is a text"),
        ({"trigger": {"commit": "\0"}}, "control characters"),
        ({"trigger": {"commit": "a\nERROR forged"}}, "control characters"),
        ({"trigger": {"scheduled_at_ms": "soon"}}, "milliseconds"),
        ({"params": {"s": "a\0b"}}, "control characters"),
        ({"params": {"s": "\x1b[31m"}}, "control characters"),
    ]:
        refused = http.post(f"/api/v1/pipelines/{name}/runs", body)
        assert (refused.status_code, told in refused.json()["message"]) == (400, True), (body, refused.text)
    refused = run_lathe(server_url, "pipeline", "run", name, "--trigger", "comit=0")
    assert (refused.returncode, "did you mean `commit`?" in refused.stderr) == (2, True), refused.stderr
    assert pipelines.runs(name) == []
    trigger = {"commit": "no-such-one", "scheduled_at_ms": 1_700_000_000_000, "window_start_ms": "5", "branch": None}
    done = pipelines.wait(pipelines.start(name, params={"s": "two\n\tlines"}, trigger=trigger))
    assert done["run"]["status"] == "succeeded"
    assert pipelines.log(done["run"]["id"], "a") == "two\n\tlines\n"
    assert done["run"]["trigger_detail"] == {name: value for name, value in trigger.items() if value}


def test_what_a_request_says_forges_no_line_of_the_log(make_lathe: Callable[..., LatheServer]):
    server = make_lathe().start()
    pipelines = Pipelines(Http(server.url))
    pipelines.push("name: p\nparams: { s: { type: str } }\njobs: { a: { inputs: { i: 'data://${{ params.s }}@main/x' }, run: x } }\n")
    done = pipelines.wait(pipelines.start("p", params={"s": "a\nforged: ERROR"}))
    assert "forged: ERROR" in pipelines.job(done["run"]["id"], "a")["reason"]
    lines = [line for line in server.log().splitlines() if "forged" in line]
    assert lines and not any(line.startswith("forged") for line in lines), lines


def test_an_input_that_is_not_there_fails_its_job_and_says_so(pipelines: Pipelines, name: str, unique):
    text = f"name: {name}\njobs:\n  a: {{ inputs: {{ data: 'data://{unique('repo')}@main/x' }}, run: 'cat $IN_DATA' }}\n"
    done = pipelines.run(text)
    assert done["run"]["status"] == "failed"
    assert "input `data`" in pipelines.job(done["run"]["id"], "a")["reason"]


def test_the_command_line_finds_what_is_there_and_names_what_is_not(pipelines: Pipelines, name: str, server_url: str):
    lathe = lambda *words: run_lathe(server_url, "pipeline", *words)
    missing = lathe("list", f"{name}-not")
    assert missing.returncode == 3 and f"pipeline `{name}-not` does not exist" in missing.stderr
    run = pipelines.run(f"name: {name}\njobs: {{ a: {{ run: exit 3 }} }}\n")["run"]["id"]
    job = pipelines.job(run, "a")
    assert job["status"] == "failed" and job["run_id"], "what it logged until then is in its run"
    for _ in range(2):
        pipelines.wait(pipelines.start(name))
    assert json.loads(lathe("show", f"{name}/1", "-o", "json").stdout)["run"]["id"] == run
    assert job["run_id"][:8] in lathe("show", f"{name}/1").stdout
    assert lathe("show", f"{name}/9").returncode == 3
    assert "the newest 2 runs; --limit shows more" in lathe("list", name, "--limit", "2").stderr
    assert "--limit" not in lathe("list", name).stderr


def test_a_cell_is_named_and_a_job_that_waits_says_for_what(pipelines: Pipelines, name: str, server_url: str):
    lathe = lambda *words: run_lathe(server_url, "pipeline", *words)
    run = pipelines.start(pipelines.push(f"""
name: {name}
jobs:
  many: {{ matrix: {{ n: [1, 2, 3] }}, run: echo }}
  again: {{ retry: {{ max: 1, initial: 1h, on: [failed] }}, run: exit 3 }}
"""))
    missing = lathe("logs", name, "many")
    assert missing.returncode == 3 and "it has a matrix: write `many[0]` … `many[2]`" in missing.stderr, missing.stderr
    assert "did you mean `again`?" in lathe("logs", name, "agian").stderr
    wait_for("the first attempt", lambda: (pipelines.job(run, "again")["status"], pipelines.job(run, "again")["attempt"]) == ("queued", 1), 30)
    shown = lathe("show", name).stdout
    assert "exit code 3; it is tried again at 2" in shown, shown
    assert lathe("cancel", name).returncode == 0
