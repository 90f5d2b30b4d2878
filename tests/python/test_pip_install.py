"""pip install . in a new environment: the package works from any folder, with nothing of the source tree on its path."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command, cwd: Path, status: int = 0) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SAMEBITS_", "PYTHON"))}
    result = subprocess.run([str(part) for part in command], cwd=cwd, env=kept, capture_output=True, text=True)
    assert result.returncode == status, result.stdout[-2000:] + result.stderr[-3000:]
    return result.stdout


@pytest.fixture(scope="module")
def python(build_dir, tmp_path_factory) -> Path:
    """An environment with samebits of this build, and the packages of the one that runs the tests."""
    if not (build_dir / "lib" / "libsamebits_python.so").is_file():
        pytest.skip("this build has no libsamebits_python.so")
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    packages = next((folder / "lib").glob("python3*/site-packages"))
    (packages / "outer.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-build-isolation", "--no-deps"]
    run(*pip, "scikit-build-core==1.1.2", "pathspec", cwd=folder)
    options = ["-C", f"cmake.define.SAMEBITS_PREBUILT={build_dir}", "-C", f"build-dir={folder}/build"]
    run(*pip, ROOT, *options, cwd=folder)
    return python


def test_it_trains_and_runs_from_another_folder(python, tmp_path):
    text = run(python, ROOT / "examples" / "python" / "train.py", tmp_path, cwd=tmp_path)
    assert "net.samebits: 0 of 2,000 logits differ (500 images)" in text.splitlines()


def test_it_is_loaded_from_where_it_was_installed(python, tmp_path):
    code = "import samebits; print(samebits.__version__, samebits.__file__, samebits.library_path())"
    version, file, library = run(python, "-c", code, cwd=tmp_path).split()
    assert version == (ROOT / "version.txt").read_text().strip()
    for path in (Path(file), Path(library)):
        assert python.parents[1] in path.parents
    for each in Path(library).parent.glob("*.so"):
        dynamic = run("readelf", "-d", each, cwd=tmp_path)
        assert "[$ORIGIN]" in dynamic and str(ROOT) not in dynamic, each.name
