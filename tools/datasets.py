#!/usr/bin/env python3
"""datasets.py CONFIG.yaml | NAME…: makes the data sets of packages that a configuration names under build/data/.

digits   scikit-learn's 1,797 digits of 8x8 pixels: build/data/digits/{x,y}.npy
wine     scikit-learn's 178 wines of 13 measurements: build/data/wine.csv
kjv      Debian's bible-kjv-text, 4.4 MB: build/data/kjv.txt

A set that is there is left alone; a configuration that names none needs nothing. Exit: 0 done, 2 wrong use, 3 a package
is missing.
"""

from __future__ import annotations

import gzip
import io
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "build" / "data"
SCIKIT_LEARN = "scikit-learn==1.9.1"  # read from its wheel: nothing of it is installed


def fail(text: str) -> None:
    print(f"error: [datasets] {text}", file=sys.stderr)
    sys.exit(3)


def scikit_learn_file(name: str) -> bytes:
    """A file of scikit-learn's datasets folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
                   "--only-binary", ":all:", "-d", folder, SCIKIT_LEARN]  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if result.returncode != 0 or not wheels:
            fail(f"{SCIKIT_LEARN}: cannot be downloaded: {result.stderr.strip()[-200:]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            return wheel.read(f"sklearn/datasets/data/{name}")


def write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.rename(path)


def npy_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def make_digits() -> None:
    table = np.loadtxt(io.BytesIO(gzip.decompress(scikit_learn_file("digits.csv.gz"))), delimiter=",")
    write_whole(DATA / "digits" / "x.npy", npy_bytes(table[:, :-1].reshape(-1, 1, 8, 8).astype(np.uint8)))
    write_whole(DATA / "digits" / "y.npy", npy_bytes(table[:, -1].astype(np.int64)))


WINE = ["alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
        "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280_od315", "proline", "class"]  # fmt: skip


def make_wine() -> None:
    rows = scikit_learn_file("wine_data.csv").decode().splitlines()[1:]  # the first one counts rows and columns
    write_whole(DATA / "wine.csv", ("\n".join([",".join(WINE), *rows]) + "\n").encode())


def make_kjv() -> None:
    if shutil.which("bible") is None:
        fail("bible: not found; apt install bible-kjv")
    result = subprocess.run(["bible", "-f", "Gen1:1-Rev22:21"], capture_output=True)
    if result.returncode != 0 or len(result.stdout) < 4_000_000:
        fail("bible: expected the whole text; apt install bible-kjv-text")
    write_whole(DATA / "kjv.txt", result.stdout)


SETS = {"digits": (make_digits, "digits/y.npy"), "wine": (make_wine, "wine.csv"), "kjv": (make_kjv, "kjv.txt")}


def main(arguments: list[str]) -> int:
    names: set[str] = set()
    for argument in arguments:
        if argument in SETS:
            names.add(argument)
        elif Path(argument).is_file():
            names |= set(re.findall(r"\bbuild/data/(\w+)", Path(argument).read_text(encoding="utf-8"))) & set(SETS)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    for name in sorted(names):
        make, last_file = SETS[name]
        if not (DATA / last_file).is_file():
            print(f"datasets: making build/data/{name}", file=sys.stderr)
            make()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
