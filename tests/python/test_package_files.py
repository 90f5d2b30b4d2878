"""docs/reference/package.md read from Python: the files of tests/data/golden_v2.samebits, which the C++ tests write byte for byte."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "golden_v2.samebits"

# The codes of golden_graph_v2() in tests/graph/package_test.cpp, as a user of the format would unpack them.
FC1 = np.array([[-8, 7, 0, 1, -1], [2, -2, 3, -3, 4], [-4, 5, -5, 6, -6]], np.int8)
FC2 = np.array([[127, -127, 0], [1, -1, 100]], np.int8)
TENSORS = {
    "fc1.weight_scale": np.array([[0.5, 0.25], [1.0, 2.0], [0.1, 3.0]], np.float32),
    "fc1.weight_zero_point": np.array([[0, 1], [-1, 7], [-8, 2]], np.int8),
    "fc1.bias": np.array([1.5, -0.0, 1e-3], np.float32),
    "fc2.weight": FC2,
    "fc2.weight_scale": np.array([0.125, 0.0625], np.float32),
    "fc3.weight": np.array([[0.1, -2.0]], np.float32),
    "fc3.bias": np.array([0.25], np.float32),
}


def pack_int4(codes):
    """Two codes a byte, the first in the low nibble; an odd last high nibble is 0."""
    nibbles = np.append(codes.reshape(-1), [0] * (codes.size % 2)).astype(np.uint8) & 15
    return nibbles[0::2] | nibbles[1::2] << 4


def unpack_int4(packed, shape):
    nibbles = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)[: np.prod(shape)].astype(np.int8)
    return np.where(nibbles >= 8, nibbles - 16, nibbles).astype(np.int8).reshape(shape)


@pytest.fixture
def graph():
    return json.loads((GOLDEN / "graph.json").read_text(encoding="utf-8"))


def test_the_python_package_reads_the_codes_as_they_were_trained(graph):
    tensors = load_file(GOLDEN / "codes.safetensors")
    shape = graph["nodes"][0]["weight"]["shape"]
    np.testing.assert_array_equal(unpack_int4(tensors.pop("fc1.weight"), shape), FC1)
    assert tensors.keys() == TENSORS.keys()
    for name, values in TENSORS.items():
        assert tensors[name].dtype == values.dtype
        assert tensors[name].tobytes() == values.tobytes(), name


def test_the_python_package_would_write_the_same_bytes():
    expected = save({**TENSORS, "fc1.weight": pack_int4(FC1)}, metadata={"format": "samebits"})
    assert (GOLDEN / "codes.safetensors").read_bytes() == expected


def test_every_tensor_can_be_mapped_without_a_copy():
    header_bytes = int.from_bytes((GOLDEN / "codes.safetensors").read_bytes()[:8], "little")
    header = json.loads((GOLDEN / "codes.safetensors").read_bytes()[8 : 8 + header_bytes])
    with safe_open(GOLDEN / "codes.safetensors", "numpy") as file:
        for name in file.keys():
            begin = 8 + header_bytes + header[name]["data_offsets"][0]
            assert begin % file.get_tensor(name).dtype.itemsize == 0, name


def test_scales_in_graph_json_are_exact_float32(graph):
    for node in graph["nodes"]:
        if "input_grid" in node:
            scale = node["input_grid"]["scale"]
            assert float(np.float32(scale)) == scale
    assert np.float32(graph["nodes"][0]["input_grid"]["scale"]) == np.float32(0.1)


def test_sha256sum_finds_nothing_wrong():
    lines = [line.split("  ") for line in (GOLDEN / "SHA256SUMS").read_text(encoding="ascii").splitlines()]
    assert [name for _, name in lines] == ["codes.safetensors", "graph.json"]
    for digits, name in lines:
        assert hashlib.sha256((GOLDEN / name).read_bytes()).hexdigest() == digits
