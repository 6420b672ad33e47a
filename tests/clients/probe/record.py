"""Records the reference: `python -m probe.record` (in tests/clients) starts MLflow's own server and keeps its answers."""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

from support.servers import MlflowServer

from .runner import run

ANSWERS = Path(__file__).parent / f"answers-{version('mlflow')}.json"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = MlflowServer(Path(folder)).start()
        try:
            recorded = run(server.url)
        finally:
            server.stop()
    ANSWERS.write_text(json.dumps(recorded, indent=1, ensure_ascii=False, sort_keys=False) + "\n")
    print(f"{len(recorded['answers'])} answers written to {ANSWERS}")


if __name__ == "__main__":
    main()
