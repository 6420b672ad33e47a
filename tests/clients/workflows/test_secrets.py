"""Secrets of jobs: set by maintainers, known to the jobs that name them, and seen by nobody."""

import json
from pathlib import Path

import pytest

from support.cli import run_lathe as cli
from support.http import Http

from .conftest import Pipelines

pytestmark = pytest.mark.lathe_only

PASSWORD = "correct horse battery staple"
VALUE = "hunter2 'quoted' $HOME"


def put(http: Http, name: str, value: object = VALUE, prefix: str = ""):
    return http.request("PUT", f"{prefix}/api/v1/secrets/{name}", {"value": value})


def names(http: Http, prefix: str = "") -> list[str]:
    return [secret["name"] for secret in http.ok(http.get(f"{prefix}/api/v1/secrets"))["secrets"]]


def test_a_job_knows_the_secrets_that_it_names_and_shows_none(pipelines: Pipelines, name: str, http: Http, unique):
    secret = unique("S").replace("-", "_")
    assert put(http, secret).status_code == 204
    text = f"""
name: {name}
jobs:
  knows:
    secrets: [{secret}]
    env: {{ variables: {{ URL: "https://user:${{{{ secrets.{secret} }}}}@host" }} }}
    run: |
      echo "variable ${secret}, again ${{{{ secrets.{secret} }}}}, and $URL"
      printf '%s' "${secret}" | wc -c
      printf 'hunte'; sleep 0.3; printf '%s\\n' "${{{secret}#hunte}}"
      echo "seen=${secret}!" >> "$LATHE_VALUES"
  other:
    needs: [knows]
    run: echo "got '${{{secret}:-nothing}}'"
"""
    done = pipelines.run(text)
    run = done["run"]["id"]
    assert done["run"]["status"] == "succeeded", done
    assert pipelines.log(run, "knows") == f"variable ***, again ***, and https://user:***@host\n{len(VALUE)}\n***\n"
    assert pipelines.log(run, "other") == "got 'nothing'\n"
    assert pipelines.job(run, "knows")["values"] == {"seen": "***!"}
    everything = [done, http.ok(http.get(f"/api/v1/pipelines/{name}")), http.ok(http.get("/api/v1/secrets")), http.ok(http.get("/api/v1/audit"))]
    attempts = http.ok(http.get(f"/api/v1/pipeline-runs/{run}/jobs/knows/attempts"))
    assert "hunter2" not in json.dumps([*everything, attempts])


def test_the_cache_neither_holds_a_value_nor_depends_on_it(pipelines: Pipelines, name: str, http: Http, unique):
    secret = unique("S").replace("-", "_")
    assert put(http, secret, "the first value").status_code == 204
    text = f"name: {name}\njobs:\n  a:\n    secrets: [{secret}]\n    cache: true\n    run: test -n \"${{{{ secrets.{secret} }}}}\"\n"
    first = pipelines.run(text)
    assert first["run"]["status"] == "succeeded", first
    assert put(http, secret, "another value").status_code == 204
    second = pipelines.run(text)
    assert second["run"]["status"] == "succeeded", second
    assert pipelines.job(second["run"]["id"], "a")["status"] == "cached" or pipelines.job(second["run"]["id"], "a")["cached_from"]


def test_a_job_without_its_secret_fails_and_says_how_to_set_it(pipelines: Pipelines, name: str):
    done = pipelines.run(f"name: {name}\njobs:\n  a:\n    secrets: [NOT_SET]\n    run: echo never\n")
    assert done["run"]["status"] == "failed"
    assert "no secret `NOT_SET`" in pipelines.job(done["run"]["id"], "a")["reason"]


def test_a_name_that_the_server_sets_is_no_secret_s(http: Http, pipelines: Pipelines, name: str, server_url: str):
    for reserved in ["AWS_ACCESS_KEY_ID", "MLFLOW_TRACKING_TOKEN", "LATHE_TOKEN", "IN_DATA", "OUT_MODEL"]:
        answer = put(http, reserved)
        assert (answer.status_code, f"MY_{reserved}" in answer.text) == (400, True), answer.text
        assert reserved not in names(http)
        text = f"name: {name}\njobs:\n  a: {{ secrets: [{reserved}], run: echo }}\n"
        refused = http.post("/api/v1/pipelines", {"file": text})
        assert (refused.status_code, f"lathe secret set MY_{reserved}" in refused.text) == (400, True), refused.text
    told = cli(server_url, "secret", "set", "AWS_SECRET_ACCESS_KEY", given=VALUE)
    assert (told.returncode, "MY_AWS_SECRET_ACCESS_KEY" in told.stderr) == (2, True), told.stderr


def test_a_log_shows_no_credentials_of_its_run(pipelines: Pipelines, name: str):
    script = """
      env
      echo "$LATHE_TOKEN" | cut -c 1-8
      printf '%s' "$AWS_SECRET_ACCESS_KEY" | cut -c 1-20; printf '%s' "$AWS_SECRET_ACCESS_KEY" | cut -c 21-
      echo "token=$MLFLOW_TRACKING_TOKEN" >> "$LATHE_VALUES"
"""
    done = pipelines.run(f"name: {name}\njobs:\n  a:\n    run: |{script}")
    run = done["run"]["id"]
    assert done["run"]["status"] == "succeeded", done
    log = pipelines.log(run, "a").splitlines()
    for covered in ["LATHE_TOKEN", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY"]:
        assert f"{covered}=***" in log
    # Only its parts are printed, as by whoever wants to know them: how it begins is no secret, and the whole is nowhere.
    secret = "".join(log[-2:])
    assert secret and secret not in "\n".join(log)
    assert pipelines.job(run, "a")["values"] == {"token": "***"}


def test_names_and_values_have_bounds(http: Http):
    for bad in ["1A", "A-B", "A%20B", "A" * 64]:
        assert put(http, bad).status_code == 400, bad
    for bad in ["", "abc", "a\0bcd", "x" * (64 * 1024 + 1), 7, None]:
        answer = put(http, "BAD", bad)
        assert answer.status_code == 400, bad
        assert str(bad)[:20] not in answer.json()["message"] or bad in ("", "abc", 7, None)
    assert "BAD" not in names(http)
    assert http.request("DELETE", "/api/v1/secrets/BAD").status_code == 404


def test_the_command_line_takes_values_on_standard_input_only(server_url: str, http: Http, unique):
    secret = unique("S").replace("-", "_")
    key = "-----BEGIN-----\nabcdef\n-----END-----\n"
    assert cli(server_url, "secret", "set", secret, given=key).returncode == 0
    listed = cli(server_url, "secret", "list", "--output", "json")
    assert secret in listed.stdout and "abcdef" not in listed.stdout + listed.stderr
    assert cli(server_url, "secret", "set", secret, "value").returncode == 2
    assert cli(server_url, "secret", "set", secret, given="").returncode == 2
    assert "will fail. Nobody can be asked here" in cli(server_url, "secret", "delete", secret, given="").stderr
    assert cli(server_url, "secret", "delete", secret, "--yes").returncode == 0
    assert secret not in names(http)


def test_secrets_stay_in_their_project_and_with_their_roles(make_lathe):
    server = make_lathe("--login", environment={"LATHE_ADMIN_PASSWORD": PASSWORD}).start()
    admin = Http.with_login(server.url, "admin", PASSWORD)
    admin.ok_any(admin.post("/api/v1/projects", {"name": "fraud"}))
    people = {}
    for role in ["viewer", "contributor", "maintainer", "outsider"]:
        secret = admin.ok_any(admin.post("/api/v1/users", {"username": role}))["password"]
        if role != "outsider":
            admin.ok_any(admin.request("PUT", f"/api/v1/projects/default/members/{role}", {"role": role}))
        people[role] = Http.with_login(server.url, role, secret)
    assert put(Http(server.url), "TOKEN").status_code == 401
    for role, may_set, may_list in [("viewer", 403, 403), ("contributor", 403, 200), ("maintainer", 204, 200), ("outsider", 403, 403)]:
        assert put(people[role], "TOKEN").status_code == may_set, role
        assert people[role].get("/api/v1/secrets").status_code == may_list, role
    assert put(people["maintainer"], "TOKEN", prefix="/p/fraud").status_code == 403
    assert put(admin, "OTHER", prefix="/p/fraud").status_code == 204
    assert (names(admin), names(admin, "/p/fraud")) == (["TOKEN"], ["OTHER"])
    file = "name: p\njobs:\n  a:\n    secrets: [TOKEN]\n    run: echo $TOKEN\n"
    assert Pipelines(people["contributor"]).run(file)["run"]["status"] == "succeeded"
    fraud = Pipelines(Http.with_login(f"{server.url}/p/fraud", "admin", PASSWORD))
    done = fraud.run(file)
    assert done["run"]["status"] == "failed"
    assert "project `fraud` has no secret `TOKEN`" in done["jobs"][0]["reason"]
    assert people["maintainer"].request("DELETE", "/api/v1/secrets/TOKEN").status_code == 204
    assert names(admin) == []


def test_values_are_nowhere_on_the_disk_and_need_the_server_s_key(make_lathe):
    server = make_lathe().start()
    http = Http(server.url)
    assert put(http, "TOKEN", "value-to-look-for").status_code == 204
    pipelines = Pipelines(http)
    file = "name: p\njobs:\n  a:\n    secrets: [TOKEN]\n    run: echo $TOKEN\n"
    assert pipelines.run(file)["run"]["status"] == "succeeded"
    server.stop()
    files = [file for file in Path(server.folder).rglob("*") if file.is_file()]
    assert len(files) > 3
    assert [file for file in files if b"value-to-look-for" in file.read_bytes()] == []
    server.environment = dict(server.environment or {}) | {"LATHE_SECRET_KEY": "ab" * 32}
    server.start()
    done = Pipelines(Http(server.url)).run(file)
    assert done["run"]["status"] == "failed"
    assert "set under another server key" in done["jobs"][0]["reason"]
