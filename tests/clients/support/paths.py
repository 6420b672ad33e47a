"""Where things lie: the repository, its scripts and the server's binary."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "scripts"
CACHE = Path(os.environ.get("LATHE_CACHE", Path.home() / ".cache" / "lathe"))


def lathe_binary() -> Path:
    """LATHE_BIN, or the newest build in the usual target folders."""
    named = os.environ.get("LATHE_BIN")
    if named:
        binary = Path(named).resolve()
        if not binary.is_file():
            raise FileNotFoundError(f"LATHE_BIN is {named}, which is no file")
        return binary
    targets = [Path(os.environ[name]) for name in ("CARGO_TARGET_DIR",) if name in os.environ]
    targets += [ROOT / "target", CACHE / "target"]
    built = [target / profile / "lathe" for target in targets for profile in ("release", "debug")]
    built = [path for path in built if path.is_file()]
    if not built:
        raise FileNotFoundError("no lathe binary found: build it (`cargo build`) or name it in LATHE_BIN")
    return max(built, key=lambda path: path.stat().st_mtime)
