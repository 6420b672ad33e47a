"""A project whose commands are run, and run again."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import client_environment, run_lathe
from support.paths import lathe_binary

from .runs import PATH


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository with a commit, a changed file and one that git does not know."""
    folder = tmp_path / "code"
    (folder / "sub").mkdir(parents=True)
    git = lambda *words: subprocess.run(["git", "-c", "user.email=a@example.org", "-c", "user.name=a", *words], cwd=folder, check=True)
    git("init", "-q")
    (folder / "sub" / "train.py").write_text("print('first')\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    (folder / "sub" / "train.py").write_text("print('changed')\n")
    (folder / "new.txt").write_text("x")
    return folder


@pytest.fixture
def start(server_url: str, project: Path) -> Callable[..., subprocess.Popen]:
    def make(*words: str, options: tuple[str, ...] = (), **environment: str) -> subprocess.Popen:
        ours = client_environment(**{"url": server_url, "PATH": PATH, "HOME": str(project.parent)} | environment)
        return subprocess.Popen([lathe_binary(), "run", *options, "--", *words], cwd=project / "sub", env=ours, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip

    return make


@pytest.fixture
def reproduce(server_url: str, project: Path) -> Callable[..., subprocess.CompletedProcess]:
    def call(run_id: str, *options: str) -> subprocess.CompletedProcess:
        return run_lathe(server_url, "run", "reproduce", run_id, "--yes", *options, cwd=project, PATH=PATH, HOME=str(project.parent))

    return call
