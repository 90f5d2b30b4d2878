"""samebits-run: a package on npy files. The package is written here by hand, with integers, bools and floats, and what it
computes is numpy's."""

import hashlib
import json
import os
import re
import subprocess

import numpy
import pytest
from safetensors.numpy import save

TABLE = numpy.arange(12, dtype=numpy.float32).reshape(4, 3) / 7


def write_package(folder):
    """tokens -> rows of TABLE, 0.25 where the mask is false; and the tokens + 1."""
    node = {"scope": ""}
    ids = {"dtype": "int64", "shape": ["batch", "sequence"]}
    nodes = [
        {"name": "rows", "op": "embedding", "inputs": ["tokens"], "outputs": ["r"], "weight": {"shape": [4, 3]}},
        {"name": "column", "op": "reshape", "inputs": ["mask"], "outputs": ["c"], "shape": ["batch", "sequence", 1]},
        {"name": "quarter", "op": "constant", "inputs": [], "outputs": ["q"], "value": {"dtype": "float32", "shape": []}},
        {"name": "masked", "op": "where", "inputs": ["c", "r", "q"], "outputs": ["y"]},
        {"name": "one", "op": "constant", "inputs": [], "outputs": ["o"], "value": {"dtype": "int64", "shape": [1]}},
        {"name": "next", "op": "add", "inputs": ["tokens", "o"], "outputs": ["n"]},
    ]
    graph = {
        "format": "samebits",
        "version": 2,
        "name": "tokens",
        "inputs": [{"name": "tokens"} | ids, {"name": "mask"} | ids | {"dtype": "bool"}],
        "outputs": ["y", "n"],
        "nodes": [node | each for each in nodes],
    }
    arrays = {
        "rows.weight": TABLE,
        "quarter.value": numpy.array(0.25, numpy.float32),
        "one.value": numpy.array([1], numpy.int64),
    }
    folder.mkdir()
    files = {
        "codes.safetensors": save(arrays, metadata={"format": "samebits"}),
        "graph.json": json.dumps(graph).encode(),
    }
    sums = ""
    for name, content in sorted(files.items()):
        (folder / name).write_bytes(content)
        sums += f"{hashlib.sha256(content).hexdigest()}  {name}\n"
    (folder / "SHA256SUMS").write_text(sums)


@pytest.fixture
def run(program, tmp_path):
    """Runs the program in a folder with net.samebits, tokens.npy and mask.npy: its exit code, output and errors."""
    write_package(tmp_path / "net.samebits")
    numpy.save(tmp_path / "tokens.npy", numpy.array([[0, 3, 1], [2, 2, 0]], numpy.int64))
    numpy.save(tmp_path / "mask.npy", numpy.array([[True, True, False], [False, True, True]]))

    def run(*arguments, **options):
        command = [program("samebits-run"), *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, **options)
        return done.returncode, done.stdout, done.stderr

    return run


INPUTS = ("--input", "tokens.npy", "--input", "mask.npy")


@pytest.mark.parametrize("threads", [1, 3])
def test_it_computes_what_numpy_computes(run, tmp_path, threads):
    code, printed, errors = run("net.samebits", *INPUTS, "--output", "y.npy", "--output", "n=next.npy", "--threads", threads)
    assert (code, errors) == (0, "")
    assert printed == "y  float32 [2, 3, 3]  y.npy\nn  int64 [2, 3]  next.npy\n"
    tokens, mask = numpy.load(tmp_path / "tokens.npy"), numpy.load(tmp_path / "mask.npy")
    y, following = numpy.load(tmp_path / "y.npy"), numpy.load(tmp_path / "next.npy")
    assert y.dtype == numpy.float32 and following.dtype == numpy.int64
    numpy.testing.assert_array_equal(y, numpy.where(mask[..., None], TABLE[tokens], numpy.float32(0.25)))
    numpy.testing.assert_array_equal(following, tokens + 1)


def test_inputs_may_be_named_and_outputs_left_out(run, tmp_path):
    code, printed, _ = run("net.samebits", "--input", "mask=mask.npy", "--input", "tokens.npy", "--output", "n=n.npy")
    assert (code, printed) == (0, "y  float32 [2, 3, 3]\nn  int64 [2, 3]  n.npy\n")
    assert not (tmp_path / "y.npy").exists()


def test_without_arrays_it_says_what_the_model_takes_and_gives(run):
    assert run("net.samebits") == (
        0,
        "input   tokens  int64 [batch, sequence]\n"
        "input   mask  bool [batch, sequence]\n"
        "output  y  float32 [batch, sequence, 3]\n"
        "output  n  int64 [batch, sequence]\n",
        "",
    )


def test_bench_reports_times_and_memory(run):
    code, printed, errors = run("net.samebits", *INPUTS, "--threads", 2, "--bench")
    assert (code, errors) == (0, "")
    figures = dict(re.findall(r"^(\w+) +([\d.e+-]+)(?: ms| bytes)?$", printed, re.MULTILINE))
    assert list(figures) == ["runs", "threads", "median", "fastest", "values", "scratch"]
    assert int(figures["threads"]) == 2 and int(figures["runs"]) >= 5
    assert 0 < float(figures["fastest"]) <= float(figures["median"])
    # r of 2 x 3 x 3 floats and y of the same, each from a multiple of 64 on; n takes the place of r; c is a view.
    assert int(figures["values"]) == 128 + 128


def test_help_shows_an_example(run):
    code, printed, _ = run("--help")
    assert code == 0
    assert "Example: samebits-run net.samebits --input x.npy --output y.npy --threads 2 --bench\n" in printed


HINT = "; samebits-run --help shows an example\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "[samebits-run] MODEL is required" + HINT),
        (["net.samebits", "--inptu=x"], 2, "[samebits-run] The following argument was not expected: --inptu=x" + HINT),
        (["net.samebits", "--threads", "0"], 2, "[samebits-run] --threads: Value 0 not in range 1 to 1024" + HINT),
        (["net.samebits", *INPUTS, "--input", "z.npy"], 2, '[samebits-run] --input: expected at most 2 files, got "z.npy"\n'),
        (
            ["net.samebits", *INPUTS, "--input", "mask=z.npy"],
            2,
            '[samebits-run] --input: expected one file for mask, got "mask=z.npy" as well\n',
        ),
        (
            ["net.samebits", "--input", "tokens.npy"],
            2,
            "[samebits-run] --input: expected a file for mask, bool [batch, sequence], got none\n",
        ),
        (
            ["net.samebits", "--bench"],
            2,
            "[samebits-run] --input: expected a file for tokens, int64 [batch, sequence], got none\n",
        ),
        (["net.samebits", "--input", "no.npy", "--input", "mask.npy"], 2, "[npy] no.npy: No such file or directory\n"),
        (
            ["net.samebits", "--input", "mask.npy", "--input", "mask.npy"],
            2,
            "[npy] mask.npy: expected <i8 for input tokens, got |b1; convert it with x.astype(numpy.int64)\n",
        ),
        (
            ["net.samebits", "--input", "net.samebits/graph.json", "--input", "mask.npy"],
            2,
            "[npy] net.samebits/graph.json: expected an npy array of version 1 to 3, got something else\n",
        ),
        (["none.samebits"], 2, "[package] none.samebits: No such file or directory\n"),
        (["net.samebits", *INPUTS, "--output", "no/y.npy"], 3, "[write] no/y.npy: No such file or directory\n"),
    ],
)
def test_wrong_use_is_named(run, arguments, code, message):
    assert run(*arguments) == (code, "", "error: " + message)


def test_arrays_that_do_not_fit_are_named(run, tmp_path):
    numpy.save(tmp_path / "mask.npy", numpy.ones((2, 4), bool))
    expected = "[runtime] mask: expected sequence 3 as in tokens, got shape [2, 4] for [batch, sequence]"
    assert run("net.samebits", *INPUTS) == (2, "", f"error: {expected}\n")
    numpy.save(tmp_path / "mask.npy", numpy.ones((2, 3), bool))
    numpy.save(tmp_path / "tokens.npy", numpy.full((2, 3), 4))
    assert run("net.samebits", *INPUTS) == (2, "", "error: [runtime] rows: expected an index in 0..3, got 4 at element 0\n")
    numpy.save(tmp_path / "tokens.npy", numpy.zeros((2, 3), numpy.int64, order="F"))
    header = "{'descr': '<i8', 'fortran_order': True, 'shape': (2, 3), }"
    code, _, errors = run("net.samebits", *INPUTS)
    assert code == 2 and header in errors and "'fortran_order': False" in errors


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_output_that_is_lost_is_no_success(run, program, tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run([program("samebits-run"), "net.samebits"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (
        3,
        "error: [samebits-run] expected standard output to take what is printed, got an error\n",
    )
