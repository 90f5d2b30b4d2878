"""The files of export/ read by programs that are not ours: every weight has the bits of code minus zero point times
scale, and a file that they wrote again is still the model."""

import subprocess
from pathlib import Path

import numpy
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

PARTS = ("_scale", "_zero_point")


@pytest.fixture(scope="session")
def files(program, tmp_path_factory) -> Path:
    """The folder of the models."""
    folder = tmp_path_factory.mktemp("export_files")
    subprocess.run([program("export_files_cases"), folder], check=True)
    return folder


@pytest.fixture
def loads(program):
    """Whether a file holds the model that its name says, and the error."""

    def load(path):
        run = subprocess.run([program("export_files_cases"), "--load", path], capture_output=True, text=True)
        return run.returncode == 0, run.stderr

    return load


def on_its_grid(arrays: dict, name: str) -> numpy.ndarray:
    """The floats of an array: as it is, or (code - zero_point) * scale with a scale of the tensor, channel or group."""
    array = arrays[name]
    if name + "_scale" not in arrays:
        return array
    scale = arrays[name + "_scale"]
    zero_point = arrays.get(name + "_zero_point", numpy.zeros(scale.shape, numpy.int8))
    rows = array.reshape(len(array), -1)
    columns = rows.shape[1]
    if scale.shape != (1,) or len(array) == 1:
        # The last group may be short: a group's columns are a multiple of 4.
        groups = 1 if scale.ndim == 1 else scale.shape[1]
        size = next(s for s in (columns, *range(4, columns + 4, 4)) if -(-columns // s) == groups)
        group = numpy.arange(columns) // size
        scale, zero_point = (v.reshape(len(array), groups)[:, group] for v in (scale, zero_point))
    real = (rows.astype(numpy.int32) - zero_point.astype(numpy.int32)).astype(numpy.float32) * scale
    return real.reshape(array.shape)


def expect_the_expected(files: Path, arrays: dict) -> None:
    expected = load_file(files / "everything.expected.safetensors")
    names = {name for name in arrays if not any(name.endswith(p) and name.removesuffix(p) in arrays for p in PARTS)}
    assert names == expected.keys()
    for name in names:
        assert on_its_grid(arrays, name).tobytes() == expected[name].tobytes(), name


def test_numpy_reads_the_weights(files):
    with numpy.load(files / "everything.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files if name != "samebits.graph"}
    expect_the_expected(files, arrays)
    assert {array.dtype for array in arrays.values()} == {numpy.dtype(numpy.int8), numpy.dtype(numpy.float32)}


def test_each_array_of_an_npz_is_what_numpy_would_write(files, tmp_path):
    import zipfile

    with numpy.load(files / "everything.npz") as archive, zipfile.ZipFile(files / "everything.npz") as members:
        assert members.testzip() is None
        for name in archive.files:
            numpy.save(tmp_path / "array.npy", archive[name])
            assert members.read(name + ".npy") == (tmp_path / "array.npy").read_bytes(), name


def test_an_npz_that_numpy_wrote_is_the_model(files, loads, tmp_path):
    with numpy.load(files / "everything.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    numpy.savez(tmp_path / "again.npz", **arrays)
    assert loads(tmp_path / "again.npz") == (True, "")
    arrays["fc9.weight"] = arrays["fc9.weight"] // 2
    numpy.savez(tmp_path / "other.npz", **arrays)
    assert loads(tmp_path / "other.npz") == (False, "")
    numpy.savez_compressed(tmp_path / "small.npz", **arrays)
    assert "expected a stored member, got a compressed one; write it by numpy.savez" in loads(tmp_path / "small.npz")[1]


def test_safetensors_reads_the_weights(files):
    expect_the_expected(files, load_file(files / "everything.safetensors"))


def test_a_safetensors_file_that_python_wrote_is_the_model(files, loads, tmp_path):
    path = files / "everything.safetensors"
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    save_file(load_file(path), tmp_path / "again.safetensors", metadata)
    assert (tmp_path / "again.safetensors").read_bytes()[8:].count(b"samebits.graph") == 1
    assert loads(tmp_path / "again.safetensors") == (True, "")
