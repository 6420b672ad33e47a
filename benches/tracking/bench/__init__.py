"""Lathe beside MLflow: the same requests to both servers in one run, and the CPU time each server spent on them."""

import sys
from pathlib import Path

# The servers are started by what the client tests start them with.
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests" / "clients"))
