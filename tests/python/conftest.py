"""Shared by the Python tests: where the build is, and python/ on the path of every process they start."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tools")]
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)


@pytest.fixture(scope="session")
def build_dir() -> Path:
    """The build under test: $SAMEBITS_BUILD_DIR, or build/cpu."""
    return Path(os.environ.get("SAMEBITS_BUILD_DIR") or ROOT / "build" / "cpu").resolve()


@pytest.fixture(scope="session")
def program(build_dir):
    """The path of a program of the build, by name."""

    def find(name: str) -> Path:
        path = build_dir / "bin" / name
        assert path.is_file(), f"{path} is missing; run make build"
        return path

    return find
