"""The files of export/ read by programs that are not ours: every weight has the bits of code minus zero point times
scale, and a file that they wrote again is still the model."""

import subprocess
import sys
from pathlib import Path

import format_packages
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


@pytest.fixture(scope="session")
def read_by_others(build_dir, tmp_path_factory):
    """The floats that the format's own package makes of a file."""
    folder = build_dir.parent / "formats"
    if why := format_packages.install(folder):
        pytest.skip(why)

    def read(path: Path) -> dict:
        out = tmp_path_factory.mktemp("read") / "floats.safetensors"
        command = [sys.executable, Path(__file__).with_name("read_formats.py"), path, out]
        run = subprocess.run(command, capture_output=True, text=True, env=format_packages.environment(folder), cwd=out.parent)
        assert run.returncode == 0, run.stderr[-3000:]
        return load_file(out)

    return read


def expect_floats(got: dict, expected: dict) -> None:
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape), name

        assert got[name].tobytes() == array.tobytes(), name


def test_gguf_reads_the_weights(files, read_by_others):
    expect_floats(read_by_others(files / "gguf_linears.gguf"), load_file(files / "gguf_linears.expected.safetensors"))


@pytest.mark.parametrize("name", ["linears", "gguf_linears"])
def test_compressed_tensors_reads_the_weights_and_the_grids_of_inputs(files, read_by_others, name):
    got = read_by_others(files / f"{name}.compressed")
    grids = {key: got.pop(key) for key in list(got) if ".input_" in key}
    expect_floats(got, load_file(files / f"{name}.expected.safetensors"))
    layers = {key.removesuffix(".input_scale") for key in grids if key.endswith(".input_scale")}
    assert len(layers) == sum(key.endswith(".weight") for key in got) - 1  # but the float layer
    if name == "linears":
        assert grids["block.fc4.input_scale"].tolist() == [0.25]
        assert grids["block.fc4.input_zero_point"].tolist() == [3]
        assert "block.fc0.input_zero_point" not in grids


@pytest.mark.parametrize("name", ["linears.compressed", "gguf_linears.gguf", "linears.npz", "gguf_linears.safetensors"])
def test_every_file_is_the_model_when_it_is_read_back(files, loads, name):
    assert loads(files / name) == (True, "")


def test_a_changed_weight_is_seen(files, read_by_others, tmp_path):
    data = bytearray((files / "gguf_linears.gguf").read_bytes())
    data[-64 * 5 * 4 - 200] ^= 0x10
    (tmp_path / "other.gguf").write_bytes(data)
    expected = load_file(files / "gguf_linears.expected.safetensors")
    got = read_by_others(tmp_path / "other.gguf")
    assert sum(int((got[name] != expected[name]).sum()) for name in expected) > 0
