"""The Python environment of a peer: made once, by pinned versions, and made anew when the pins change."""
import os
import subprocess
import sys
from pathlib import Path


def enter(name, packages):
    """Goes on in the virtual environment `name` with exactly these `packages`; one thread per library."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "fettler" / f"venv-{name}"
    if Path(sys.prefix) == folder:
        return
    python, ready, pins = folder / "bin" / "python", folder / "ready", "\n".join(packages)
    if not ready.exists() or ready.read_text() != pins:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, stdout=sys.stderr)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True, stdout=sys.stderr)
        ready.write_text(pins)
    for library in ("OMP", "NUMBA", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    os.execv(python, [str(python), *sys.argv])
