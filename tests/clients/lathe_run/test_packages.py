"""`lathe run reproduce`: the packages, scripts and programs with which a run is run again."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from .runs import PATH, artifact, program, runs_of

pytestmark = pytest.mark.lathe_only


def test_packages_are_installed_as_they_were(start, reproduce, client, unique, project):
    experiment, environment = unique("packages"), project.parent / "env"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    path = f"{environment / 'bin'}:/usr/bin:/bin"
    child = start("python3", "-c", "import sys; print(sys.prefix)", options=("-e", experiment), PATH=path)
    assert child.communicate(timeout=90)[0].strip() == str(environment)
    (original,) = runs_of(client, experiment)
    done = reproduce(original.info.run_id)
    assert done.returncode == 0, done.stderr
    again = next(run for run in runs_of(client, experiment) if run.info.run_id != original.info.run_id)
    assert "lathe/environments/" in artifact(again.info.run_id, "output.log")


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., None]:
    """Puts a package into an environment as an installer does."""

    def put(environment: Path, name: str, **files: str) -> None:
        [packages] = environment.glob("lib/python*/site-packages")
        (packages / f"{name}-0.1.dist-info").mkdir()
        for file, text in ({"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n"} | files).items():
            (packages / f"{name}-0.1.dist-info" / file.replace("__", ".")).write_text(text)

    return put


def test_the_packages_are_those_of_the_command_s_own_python(start, reproduce, client, unique, project, package):
    experiment, environment = unique("own"), project / "sub" / ".venv"
    # As uv makes it: without pip.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    package(environment, "only_here", direct_url__json=json.dumps({"url": "https://me:secret@host/x.whl", "archive_info": {}}))
    package(environment, "my_project", direct_url__json=json.dumps({"url": f"file://{project}", "dir_info": {"editable": True}}))
    package(environment, "by_conda", INSTALLER="conda\n", direct_url__json=json.dumps({"url": "file:///croot/x", "dir_info": {}}))
    (project / "sub" / "here.egg-info").mkdir()
    (project / "sub" / "here.egg-info" / "PKG-INFO").write_text("Name: here\nVersion: 1\n")
    for interpreter in [".venv/bin/python", str(environment / "bin" / "python")]:
        child = start(interpreter, "-c", "import sys; print(sys.prefix)", options=("-e", experiment))
        assert child.communicate(timeout=90)[0].strip() == str(environment)
        original = runs_of(client, experiment)[0]
        assert artifact(original.info.run_id, "requirements.txt").splitlines() == ["by_conda==0.1"]
        left_out = artifact(original.info.run_id, "packages-left-out.txt").splitlines()
        assert left_out == [f"my_project==0.1 (editable file://{project})", "only_here==0.1 (from https://host/x.whl)"]
        client.log_text(original.info.run_id, "", "lathe/requirements.txt")
        done = reproduce(original.info.run_id)
        assert done.returncode == 0, done.stderr
        assert "2 packages that came from no registry: my_project==0.1" in done.stderr
        assert f"the interpreter {interpreter}: one with the captured packages is started" in done.stderr
        again = runs_of(client, experiment)[0]
        assert "lathe/environments/" in artifact(again.info.run_id, "output.log")
        done = reproduce(original.info.run_id, "--current-env")
        assert (done.returncode, f"the interpreter {interpreter}: that of this shell is started" in done.stderr) == (0, True), done.stderr


def wheel_with_script(folder: Path, name: str, code: str) -> Path:
    """A package with one script, as a registry would give it."""
    wheel, info = folder / f"{name}-0.1-py3-none-any.whl", f"{name}-0.1.dist-info"
    files = {
        f"{name}.py": f"def main():\n    {code}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"]))
    return wheel


def test_a_script_is_started_with_the_packages_of_its_own_python(start, reproduce, client, unique, project, package):
    experiment, environment = unique("script"), project / "sub" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    package(environment, "only_here")
    script = environment / "bin" / "tool"
    script.write_text(f"#!{environment}/bin/python\nimport sys; print(sys.prefix)\n")
    script.chmod(0o755)
    wheel = wheel_with_script(project.parent, "tool", "import sys; print(sys.prefix)")
    named = "the program .venv/bin/tool"
    # Named by its path without an activated environment, and found in PATH where another Python comes first.
    for command, path in [(".venv/bin/tool", PATH), ("tool", f"{PATH}:{environment / 'bin'}")]:
        child = start(command, options=("-e", experiment), PATH=path)
        assert child.communicate(timeout=90)[0].strip() == str(environment)
        original = runs_of(client, experiment)[0]
        assert artifact(original.info.run_id, "requirements.txt").splitlines() == ["only_here==0.1"]
        client.log_text(original.info.run_id, f"tool @ file://{wheel}", "lathe/requirements.txt")
        done = reproduce(original.info.run_id)
        assert (done.returncode, named in done.stderr) == (0, command.startswith(".")), done.stderr
        assert "lathe/environments/" in artifact(runs_of(client, experiment)[0].info.run_id, "output.log")
    # Packages that have no such script: the one that git did not know is started where it lies.
    child = start(".venv/bin/tool", options=("-e", experiment))
    assert child.communicate(timeout=90)[0].strip() == str(environment)
    original = runs_of(client, experiment)[0]
    client.log_text(original.info.run_id, "", "lathe/requirements.txt")
    done = reproduce(original.info.run_id)
    assert (done.returncode, named in done.stderr) == (0, True), done.stderr
    assert artifact(runs_of(client, experiment)[0].info.run_id, "output.log").strip() == str(environment)


def test_a_program_by_its_path_is_named_unless_it_is_of_the_code(start, reproduce, client, unique, project):
    experiment = unique("by-path")
    for name in ("known", "unknown"):
        program(project / "sub", name, "echo here")
    subprocess.run(["git", "add", "sub/known"], cwd=project, check=True)
    for name, is_named in [("./known", False), ("./unknown", True), (str(project / "sub" / "known"), True)]:
        child = start(name, options=("-e", experiment))
        assert child.communicate(timeout=90)[0] == "here\n"
        done = reproduce(runs_of(client, experiment)[0].info.run_id, "--current-env")
        assert (done.returncode, "here" in done.stdout) == (0, True), done.stderr
        assert (f"the program {name}: it is started as it is here now" in done.stderr) is is_named, done.stderr
