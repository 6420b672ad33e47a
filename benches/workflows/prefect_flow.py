"""A flow of so many tasks, each of which runs `true`: `python prefect_flow.py 100`."""

import subprocess
import sys

from prefect import flow, task


@task
def step(number: int) -> None:
    subprocess.run(["/bin/sh", "-e", "-c", "true"], check=True)


@flow
def steps(count: int) -> None:
    step.map(range(count)).wait()


steps(int(sys.argv[1]))
