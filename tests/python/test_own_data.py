"""docs/guides/own_data.md, as it stands: its experiments are run on small data of each kind, and its errors are made."""

import re
import struct
import zlib

import numpy as np
import pytest
from cli_runs import Run, error_of
from conftest import ROOT

TEXT = (ROOT / "docs/guides/own_data.md").read_text(encoding="utf-8")


def blocks(language):
    every = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [text for name, text in every if name == language]


EXPERIMENTS = {re.match(r"name: (\w+)", block)[1]: block for block in blocks("yaml")}
ERRORS = [line for block in blocks("") for line in block.splitlines() if line.startswith("error: ")]


def png_bytes(pixels):
    """An 8-bit PNG of [height, width, 3], by the format's own words: no filter, one stream."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(np.uint8))
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def make_pets(data):
    rng = np.random.default_rng(1)
    for value, name in ((60, "cat"), (180, "dog")):
        (data / "pets" / name).mkdir(parents=True)
        for i in range(1, 25):
            picture = np.clip(rng.normal(value, 30, (16, 16, 3)), 0, 255)
            (data / "pets" / name / f"{i}.png").write_bytes(png_bytes(picture))


def make_flowers(data):
    rng = np.random.default_rng(2)
    rows = ["length,width,colour,species"]
    for i in range(100):
        kind = i % 2
        length, width = rng.normal(4 + 2 * kind, 0.3), rng.normal(1, 0.2)
        rows.append(f"{length:.2f},{width:.2f},{i % 5}," + ('"setosa, young"', "virginica")[kind])
    (data / "flowers.csv").write_text("\r\n".join(rows) + "\r\n")


def make_letters(data):
    (data / "letters.txt").write_text("abcdefghijklmnopqrstuvwxyz. " * 120)


@pytest.fixture(scope="module")
def guide(shared_samebits):
    """The executable, in a folder with the data that the guide speaks of."""
    data = shared_samebits.folder / "data"
    (data / "sums").mkdir(parents=True)
    make_pets(data)
    make_flowers(data)
    make_letters(data)
    for code in blocks("python"):
        exec(compile(code.replace('"data/', f'"{data}/'), "own_data.md", "exec"), {})
    return shared_samebits


def test_the_guide_has_an_experiment_for_each_source_that_needs_one():
    sources = {re.search(r"data: \{(\w+):", text)[1] for text in EXPERIMENTS.values()}
    assert sources == {"images", "npy", "csv", "text"}
    assert len(ERRORS) == 4


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_of_the_guide_trains_and_ships_the_same_bits(guide, name):
    result = guide("train", guide.write_config(EXPERIMENTS[name], f"{name}.yaml"))
    assert result.returncode == 0, result.stderr
    run = Run(guide.folder / "runs" / name / "latest")
    status = run.status()
    assert status["state"] == "done"
    scores = next(value for key, value in status.items() if key not in ("state", "verify"))
    metric = next(key for key in status if key not in ("state", "verify"))
    assert metric == {"pets": "accuracy", "flowers": "accuracy", "sums": "mse", "letters": "perplexity"}[name]
    if name == "letters":
        assert "verify" not in status and scores["qat"] is None
        assert 1 < scores["fp32"] < 20  # of 256 bytes that it might be
    else:
        assert status["verify"]["differing"] == {"package": 0, "onnx": 0}
        assert scores["exported"] == scores["qat"]
    again = guide("eval", run.path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.split()[0] == metric


def damage(data, error):
    """Makes the file wrong of which an error of the guide speaks."""
    path = data / re.match(r"error: \[data\] data/([\w./]+)", error)[1]
    if path.suffix == ".csv":
        lines = path.read_text().splitlines()
        cells = lines[2].split(",")
        path.write_text("\n".join([*lines[:2], ",".join([cells[0], "", *cells[2:]]), *lines[3:]]))
    elif path.suffix == ".png":
        path.write_bytes(png_bytes(np.zeros((16, 15, 3))))
    elif path.suffix == ".npy":
        np.save(path, np.asfortranarray(np.load(path)))
    else:
        path.write_bytes("café".encode("latin-1") + path.read_bytes())
    return path


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_of_the_guide_is_what_one_sees(guide, error):
    name = {"csv": "flowers", "png": "pets", "npy": "sums", "txt": "letters"}[re.search(r"\.(\w{3})\b", error)[1]]
    path = guide.folder / "data" / re.match(r"error: \[data\] data/([\w./]+)", error)[1]
    before = path.read_bytes()
    try:
        damage(guide.folder / "data", error)
        config = guide.write_config(EXPERIMENTS[name], f"{name}.yaml")
        assert error_of(guide("train", config), 2) == error + "\n"
    finally:
        path.write_bytes(before)
