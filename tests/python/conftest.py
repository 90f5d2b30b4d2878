"""Shared by the Python tests: where the build is, and python/ on the path of every process they start."""

import os
import sys
from pathlib import Path

import pytest
from cli_runs import Samebits, write_data

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


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """The folder of a small data set for samebits train."""
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def samebits(program, tmp_path) -> Samebits:
    """The executable, in a folder of the test's own."""
    return Samebits(program("samebits"), tmp_path)


@pytest.fixture(scope="module")
def shared_samebits(program, tmp_path_factory) -> Samebits:
    """The same, for runs that several tests of a file only read."""
    return Samebits(program("samebits"), tmp_path_factory.mktemp("shared"))
