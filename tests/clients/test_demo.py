"""`make demo-quick` and `make demo-digits`, as far as a test can do it: the scripts behind them."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from support.cli import run_lathe
from support.http import Http
from support.paths import ROOT, SCRIPTS, lathe_binary
from support.servers import IN_USE, RETRIES_OF_A_PORT, LatheServer
from support.waiting import wait_for

pytestmark = [pytest.mark.lathe_only, pytest.mark.slow]

FLIGHTS = ROOT / "examples" / "flights"
# Against hanging; how long a demo takes decides nothing.
GUARD_SECONDS = 900
PASSWORD = "correct horse battery staple"


@dataclass
class Demo:
    """A demo under way."""

    process: subprocess.Popen
    output: Path
    started: float

    def text(self) -> str:
        return self.output.read_text()

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def wait(self, seconds: float = GUARD_SECONDS) -> int:
        return self.process.wait(timeout=seconds)

    def reaches(self, what: str, is_there: Callable[[], bool], seconds: float = GUARD_SECONDS) -> None:
        """Waits for something while the demo goes on."""

        def look() -> bool:
            assert self.process.poll() is None, f"the demo ended before {what}:\n{self.text()}"
            return is_there()

        wait_for(what, look, seconds, pause=0.1)

    def interrupt(self) -> int:
        """Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=60)


def begin(command: list[str], folder: Path, environment: dict[str, str]) -> Demo:
    """Starts a command of a demo in a process group of its own."""
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            command, env=os.environ | {"NO_COLOR": "1"} | environment, stdout=output, stderr=output,
            stdin=subprocess.DEVNULL, start_new_session=True,
            # Tests that run in the background of a shell ignore Ctrl-C, and so would all that they start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
    return Demo(process, folder / "output.txt", time.monotonic())


def lost_its_port(demo: Demo, address: str) -> bool:
    """Whether the demo ended because somebody else had its port; waits until that is known."""
    # That something answers there says nothing: it may be whoever has the port.
    is_up = lambda: f"http://{address}" in demo.text()
    wait_for("the demo's server", lambda: demo.process.poll() is not None or is_up(), GUARD_SECONDS, pause=0.1)
    return demo.process.poll() is not None and IN_USE in demo.text()


@contextmanager
def start(command: list[str], folder: Path, address: str | None = None, **environment: str) -> Iterator[Demo]:
    """A command of a demo that is ended in any case; it is started again if the free port at which its server listens was taken meanwhile."""
    demo = begin(command, folder, environment)
    try:
        for _ in range(RETRIES_OF_A_PORT):
            if address is None or not lost_its_port(demo, address):
                break
            time.sleep(1)
            demo = begin(command, folder, environment)
        yield demo
    finally:
        if demo.process.poll() is None:
            try:
                demo.interrupt()
            except subprocess.TimeoutExpired:
                os.killpg(demo.process.pid, signal.SIGKILL)
                demo.process.wait(timeout=30)


def start_script(script: str, folder: Path, address: str, *arguments: str, **environment: str):
    return start(
        [str(SCRIPTS / script), *arguments], folder, address,
        LATHE_BIN=str(lathe_binary()), LATHE_DEMO_LISTEN=address, LATHE_DEMO_DATA=str(folder / "data"), **environment,
    )  # fmt: skip


def free_address() -> str:
    """A port with a free one behind it, for S3."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return f"127.0.0.1:{port}"


def check_story(text: str) -> None:
    """All steps were told, and the last prediction came from all that was made."""
    versions = "version 2 took over from version 1"
    for step in ("1/5", "2/5", "3/5", "4/5", "5/5", "alert: quality is 0.", "none of them failed\n", versions):
        assert step in text, f"{step} is missing in\n{text}"
    check_origin(text.partition("$ lathe lineage why ")[2], version=2)


def check_origin(answer: str, version: int) -> None:
    for part in ("deployment flights-delay", f"model flights-delay/{version}", " run ", " job ", " data flights@", " code "):
        assert part in answer, f"{part} is missing in\n{answer}"


def check_addresses(text: str, http: Http, version: int) -> None:
    """Each printed address is a page, and the server's API knows what it is said to be."""
    addresses = dict(re.findall(r"^  (\S.*?)  +(http://\S+/p/default/\S+)$", text, flags=re.MULTILINE))
    for address in addresses.values():
        answer = requests.get(address, timeout=60)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/html"), address
    paths = {what: address.partition("/p/default/")[2] for what, address in addresses.items()}

    for what, trigger in (("first pipeline run", "manual"), ("the one that the alert started", "drift_alert")):
        run = http.ok(http.get(f"/api/v1/{paths.pop(what)}"))["run"]
        assert (run["pipeline"], run["status"], run["trigger"]) == ("flights-delay", "succeeded", trigger)
    compared = paths.pop("its models, compared").removeprefix("compare?runs=").split(",")
    runs = [http.ok(http.get("runs/get", run_id=run_id))["run"] for run_id in compared]
    kinds = {tag["value"] for run in runs for tag in run["data"]["tags"] if tag["key"] == "lathe.job"}
    assert (len(runs), {run["info"]["status"] for run in runs}, kinds) == (3, {"FINISHED"}, {"train[0]", "train[1]", "train[2]"})
    _, name, _, number = paths.pop("model version").split("/")
    found = http.ok(http.get("model-versions/get", name=name, version=number))["model_version"]
    assert (found["version"], found["run_id"] in compared) == (str(version), True)
    deployment = http.ok(http.get(f"/api/v1/{paths.pop('deployment')}"))
    assert [one["version"] for one in deployment["versions"] if one["role"] == "primary"] == [version]
    drift = http.ok(http.get(f"/api/v1/{paths.pop('drift').replace('?tab=', '/')}"))
    assert any(column["tests"] for window in drift["windows"] for column in window["columns"])
    assert paths == {}, "an address that nothing looks at"


@pytest.mark.any_database
def test_the_quick_demo_tells_the_whole_story(tmp_path: Path, record_property) -> None:
    address = free_address()
    with start_script("demo.sh", tmp_path, address, "--quick") as demo:
        demo.reaches("the end of the story", lambda: "until you press Ctrl-C" in demo.text())
        text = demo.text()
        record_property("seconds", round(demo.seconds()))
        print(f"the quick demo took {demo.seconds():.0f} s")
        check_story(text)
        http = Http(f"http://{address}")
        check_addresses(text, http, version=2)
        assert [run["status"] for run in http.ok(http.get("/api/v1/pipeline-runs"))["runs"]] == ["succeeded", "succeeded"]
        commands = re.findall(r"^  (\S*lathe\S* .*)$", text.partition("Next:")[2], flags=re.MULTILINE)
        assert len(commands) == 3
        for command in commands:
            subprocess.run(shlex.split(command), check=True, capture_output=True, timeout=120)
        assert demo.interrupt() == 0


@dataclass
class Person:
    """Somebody who signed in with the command line, as docs/how-to/team-server.md tells it."""

    server: LatheServer
    name: str
    project: str
    # Where `lathe login` keeps the token.
    home: Path

    def lathe(self, *words: str, given: str | None = None) -> str:
        done = run_lathe(self.server.url, *words, given=given, HOME=str(self.home), XDG_CONFIG_HOME="", LATHE_PROJECT=self.project)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def http(self) -> Http:
        """Requests of this person, in the project."""
        token = json.loads(self.lathe("env", "-o", "json"))["MLFLOW_TRACKING_TOKEN"]
        return Http(f"{self.server.url}/p/{self.project}", {"Authorization": f"Bearer {token}"})


def sign_in(server: LatheServer, folder: Path, name: str, project: str, password: str = PASSWORD) -> Person:
    person = Person(server, name, project, folder / name)
    person.home.mkdir()
    person.lathe("login", "--user", name, "--password-stdin", given=f"{password}\n")
    return person


def invite(admin: Person, name: str, role: str, project: str) -> Person:
    """Makes a user with a role in one project, who then signs in."""
    admin.lathe("user", "create", name, "--password-stdin", given=f"{PASSWORD}\n")
    admin.lathe("member", "set", name, role, "--project", project)
    return sign_in(admin.server, admin.home.parent, name, project)


def home_of(person: Person) -> dict[str, str]:
    """Lets a process find what `lathe login` kept for the person."""
    return {"HOME": str(person.home), "XDG_CONFIG_HOME": ""}


@pytest.mark.postgres
def test_a_server_that_is_killed_again_and_again_tells_a_maintainer_the_story_to_its_end(tmp_path: Path, make_lathe) -> None:
    """With login, in a project of its own and on PostgreSQL, because the whole story takes minutes: above it is told without any of that."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"LATHE_SERVING_PYTHON": sys.executable, "PATH": path, "LATHE_ADMIN_PASSWORD": PASSWORD}
    server: LatheServer = make_lathe("--login", database="postgres", environment=environment).start()
    admin = sign_in(server, tmp_path, "admin", "default")
    admin.lathe("project", "create", "flights-team")
    ada = invite(admin, "ada", "maintainer", "flights-team")
    kept = home_of(ada) | {"LATHE_URL": server.url, "LATHE_PROJECT": ada.project}
    lathe, demo_py = shlex.quote(str(lathe_binary())), shlex.quote(str(FLIGHTS / "demo.py"))
    story = f'variables=$({lathe} env) && eval "$variables" && exec {shlex.quote(sys.executable)} {demo_py} --quick --lathe {lathe}'
    with start(["sh", "-c", story], tmp_path, **kept) as demo:
        kill_at_each_moment(server, ada.http(), demo)
        assert demo.wait() == 0, demo.text() + server.log()[-4000:]
        check_killed_story(demo.text(), ada)
    check_who_did_it(ada, admin)


def check_who_did_it(ada: Person, admin: Person) -> None:
    """Everything is of the person, of the pipeline's runs, or of the server that an alert woke; all in the one project."""
    http = ada.http()
    started = [(run["trigger"], run["actor"]) for run in http.ok(http.get("/api/v1/pipeline-runs"))["runs"]]
    assert started == [("drift_alert", "workflows"), ("manual", "ada")]
    for path in ("repos", "pipelines", "deployments"):
        found = admin.http().get(f"/api/v1/{path}")
        assert not next(iter(http.ok(found).values())), "nothing of it is in another project"
    # What a run could do ended with it.
    tokens = http.ok(http.get("/api/v1/audit", action="token.", max_results=1000))["events"]
    made = {event["subject"] for event in tokens if event["action"] == "token.created" and event["detail"].get("run_id")}
    assert made and made <= {event["subject"] for event in tokens if event["action"] == "token.revoked"}


def kill_at_each_moment(server: LatheServer, http: Http, demo: Demo) -> None:
    def is_training(number: int) -> bool:
        runs = [run for run in http.ok(http.get("/api/v1/pipeline-runs"))["runs"] if run["number"] == number]
        jobs = [job for run in runs for job in http.ok(http.get(f"/api/v1/pipeline-runs/{run['id']}"))["jobs"]]
        return any(job["name"] == "train" and job["status"] == "running" for job in jobs)

    def asked_of_canary() -> int:
        versions = http.ok(http.get("/api/v1/deployments/flights-delay"))["versions"]
        return sum(one["statistics"]["since_canary"]["requests"] for one in versions if one["role"] == "canary" and one.get("statistics"))

    for what, is_there in (
        ("the first training", lambda: is_training(1)),
        ("May's replay", lambda: "first prediction" in demo.text()),
        ("the second training", lambda: is_training(2)),
        ("requests to the canary", lambda: asked_of_canary() >= 5),
    ):
        demo.reaches(what, is_there)
        server.kill()
        server.start()


def check_killed_story(text: str, person: Person) -> None:
    assert "version 2 took over from version 1" in text, text
    http = person.http()
    # Each pipeline run has one version, of the best of its own runs.
    runs = http.ok(http.get("/api/v1/pipeline-runs"))["runs"]
    assert [run["status"] for run in runs] == ["succeeded"] * 2
    trained = []
    for run in reversed(runs):
        jobs = http.ok(http.get(f"/api/v1/pipeline-runs/{run['id']}"))["jobs"]
        trained.append({job["run_id"] for job in jobs if job["name"] == "train"})
    versions = http.ok(http.get("model-versions/search", filter="name = 'flights-delay'"))["model_versions"]
    versions.sort(key=lambda version: int(version["version"]))
    assert len(versions) == 2
    assert all(version["run_id"] in of_run for version, of_run in zip(versions, trained, strict=True))
    # Asked again, in words and from the last server.
    request_id = re.search(r"lineage why (\S+)", text).group(1)
    check_origin(person.lathe("lineage", "why", request_id), version=2)
    assert http.get("/api/v1/audit/verify").ok


@pytest.mark.any_database
def test_an_interrupted_demo_is_told_anew_from_its_beginning(tmp_path: Path) -> None:
    address = free_address()
    with start_script("demo.sh", tmp_path, address, "--quick") as demo:
        demo.reaches("the pipeline", lambda: "validate " in demo.text())
        assert demo.interrupt() == 130
    with start_script("demo.sh", tmp_path, address, "--quick") as demo:
        demo.reaches("the first version", lambda: "3/5" in demo.text())
        http = Http(f"http://{address}")
        runs = http.ok(http.get("/api/v1/pipeline-runs"))["runs"]
        assert [run["status"] for run in runs] == ["succeeded", "canceled"]


def test_what_is_missing_ends_the_demo_with_one_line(tmp_path: Path, server_url: str) -> None:
    def ended(*arguments: str) -> str:
        command = [sys.executable, str(FLIGHTS / "demo.py"), "--quick", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=GUARD_SECONDS)
        assert done.returncode == 1
        return done.stderr

    missing = ended("--url", server_url, "--lathe", str(tmp_path / "nothing"))
    assert missing.count("\n") == 1 and "name the binary with --lathe" in missing
    nobody = ended("--url", f"http://{free_address()}", "--lathe", str(lathe_binary()))
    assert nobody.count("\n") == 1 and "no Lathe answers" in nobody


def test_a_model_sees_nothing_that_is_known_after_the_planned_departure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "flights"))
    from features import FEATURES

    assert not set(FEATURES) & {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum", "month", "late"}
    assert len(FEATURES) > 10


def test_no_line_of_the_training_code_mentions_lineage() -> None:
    for step in ("validate", "prepare", "features", "train", "evaluate"):
        text = (ROOT / "examples" / "flights" / f"{step}.py").read_text().lower()
        assert "lineage" not in text and "lathe" not in text, step


@pytest.mark.any_database
def test_the_demo_leaves_a_server_until_it_is_stopped(tmp_path: Path) -> None:
    address = free_address()
    with start_script("demo-digits.sh", tmp_path, address) as demo:
        demo.reaches("the end of the demo's training", lambda: "until you press Ctrl-C" in demo.text())
        text = demo.text()
        assert "5/5" in text and "champion" in text
        assert f"http://{address}" in text
        http = Http(f"http://{address}")
        alias = http.ok(http.get("registered-models/alias", name="digits", alias="champion"))
        assert alias["model_version"]["version"] == "1"
        commands = [line.strip() for line in text.splitlines() if re.match(r"^  \S*(lathe|eval) ?", line)]
        assert len(commands) == 3, text
        assert demo.interrupt() == 0
    with pytest.raises(OSError):
        socket.create_connection((address.partition(":")[0], int(address.partition(":")[2])), timeout=2).close()


def test_the_demo_makes_its_project_in_a_server_of_its_own_and_says_how_in_another(tmp_path: Path, server_url: str, unique) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LATHE_", "MLFLOW_"))}
    environment |= {"NO_COLOR": "1", "HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "LATHE_PROJECT": "fraud"}

    def demo(address: str) -> subprocess.CompletedProcess:
        command = [str(lathe_binary()), "demo", "--listen", address, "--data-dir", str(tmp_path / "data"), "--python", sys.executable, "--exit"]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=GUARD_SECONDS)

    for _ in range(RETRIES_OF_A_PORT):
        own = demo(free_address())
        if IN_USE not in own.stderr:
            break
    assert own.returncode == 0, own
    assert "Made the project fraud." in own.stdout and "--project fraud" in own.stdout.partition("Next")[2], own
    nowhere = unique("nowhere")
    environment["LATHE_PROJECT"] = nowhere
    other = demo(server_url.removeprefix("http://"))
    assert other.returncode != 0 and f"project `{nowhere}` does not exist" in other.stderr, other
    # What is said can be done, also with the same environment.
    hint = shlex.split(other.stderr.partition("hint: ")[2].splitlines()[0])
    assert hint[:4] == ["lathe", "project", "create", nowhere], other
    subprocess.run([str(lathe_binary()), *hint[1:]], env=environment, cwd=tmp_path, check=True)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, make_lathe) -> dict[str, Person]:
    """A server with login, and people with a role in the project `fraud` by the name of that role."""
    server: LatheServer = make_lathe("--login", environment={"LATHE_ADMIN_PASSWORD": PASSWORD}).start()
    admin = sign_in(server, tmp_path_factory.mktemp("team"), "admin", "default")
    admin.lathe("project", "create", "fraud")
    return {role: invite(admin, f"the.{role}", role, "fraud") for role in ("contributor", "maintainer")}


@pytest.mark.any_database
def test_the_demo_uses_a_server_that_runs_already_as_whoever_signed_in(tmp_path: Path, team: dict[str, Person]) -> None:
    person = team["maintainer"]
    address = person.server.url.removeprefix("http://")
    with start_script("demo-digits.sh", tmp_path, address, "--exit", "--project", "fraud", **home_of(person)) as demo:
        assert demo.wait() == 0, demo.text()
    text = demo.text()
    assert "using it" in text and "done in" in text and "--project fraud" in text.partition("Next")[2]
    alias = person.http().get("registered-models/alias", name="digits", alias="champion").json()
    assert alias["model_version"]["version"] == "1"
    experiments = person.http().ok(person.http().post("experiments/search", {"max_results": 10}))["experiments"]
    assert "digits" in [experiment["name"] for experiment in experiments]


@pytest.mark.parametrize("script", ["demo.py", "lathe demo"])
def test_who_cannot_do_all_of_a_demo_is_told_so_at_once(script: str, tmp_path: Path, team: dict[str, Person]) -> None:
    contributor = team["contributor"]
    url = contributor.server.url

    def refused(project: str, home: dict[str, str]) -> str:
        if script == "demo.py":
            command = [sys.executable, str(FLIGHTS / "demo.py"), "--quick", "--url", url, "--lathe", str(lathe_binary())]
        else:
            command = [str(lathe_binary()), "demo", "--listen", url.removeprefix("http://"), "--python", sys.executable]
        command += ["--project", project]
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("LATHE_", "MLFLOW_"))} | home
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=GUARD_SECONDS)
        assert done.returncode != 0
        return done.stderr

    assert "the.contributor is contributor of the project fraud" in refused("fraud", home_of(contributor))
    assert "default" in refused("default", home_of(contributor))
    assert "sign in first" in refused("fraud", {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""})
