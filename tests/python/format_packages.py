"""The packages of tests/export/requirements-formats.txt, in build/formats: installed there when a test first asks, beside
.venv, so that nothing of the project can come to need them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "tests" / "export" / "requirements-formats.txt"


def install(folder: Path) -> str:
    """Installs into the folder what is not there; why it could not, or nothing."""
    stamp = folder / "requirements.installed"
    if stamp.is_file() and stamp.read_bytes() == REQUIREMENTS.read_bytes():
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", sys.executable]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for command in (uv, pip):
        # With what they need listed, and without torch, which .venv has.
        run = subprocess.run([*command, "--no-deps", "--target", folder, "-r", REQUIREMENTS], capture_output=True, text=True)
        if run.returncode == 0:
            shutil.copy(REQUIREMENTS, stamp)
            return ""
    return f"{REQUIREMENTS.name} cannot be installed: {run.stderr.strip().splitlines()[-1:]}"


def environment(folder: Path) -> dict[str, str]:
    """That of a process which has them on its path, behind what .venv has."""
    return os.environ | {"PYTHONPATH": str(folder)}
