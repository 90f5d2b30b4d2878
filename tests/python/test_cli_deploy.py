"""samebits deploy: for each target a folder whose programs run alone and give the model's bits, its manifest, and every
refusal."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from cli_runs import config_text, error_of, write_data
from conftest import ROOT

# What each folder holds besides its manifest, and the programs in it.
HOLDS = {
    "mobile": ["expected.bin", "input.bin", "model.onnx", "model.samebits/SHA256SUMS",
               "model.samebits/codes.safetensors",
               "model.samebits/graph.json", "run_onnx.py"],
    "desktop": ["expected.bin", "include/samebits/runtime.h", "input.bin", "lib/libsamebits_runtime.so.0",
                "model.samebits/SHA256SUMS",
               "model.samebits/codes.safetensors", "model.samebits/graph.json", "run_package.c", "run_package.py"],
    "edge": ["expected.bin", "input.bin", "model.h", "run_header.c"],
}  # fmt: skip
HOLDS["server"] = sorted([*HOLDS["desktop"], "model.onnx", "run_onnx.py"])


@pytest.fixture(scope="module")
def trained(shared_samebits, data):
    return shared_samebits.train(config_text(data))


@pytest.fixture(params=HOLDS)
def deployed(request, samebits, trained, monkeypatch):
    """The target, what was printed, and the folder."""
    monkeypatch.setenv("SAMEBITS_PYTHON", sys.executable)
    if "run_onnx.py" in HOLDS[request.param]:
        pytest.importorskip("onnxruntime")
    result = samebits("deploy", trained.path, "--target", request.param, "--out", "out")
    assert result.returncode == 0, result.stderr + result.stdout
    return request.param, result.stdout, samebits.folder / "out"


def test_each_program_was_run_and_gave_the_bits_of_the_model(deployed):
    target, output, folder = deployed
    programs = [name for name in HOLDS[target] if name.startswith("run_")]
    for name in programs:
        assert f"{name}: 0 outputs differ\n" in output
    for name in ("model.samebits", "model.onnx"):
        if (folder / name).exists():
            assert f"{name}: 0 of 1,000 logits differ (100 images)\n" in output
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["programs"] == {name: {"differing": 0} for name in programs}
    assert manifest["target"] == target
    assert manifest["inputs"] == [{"name": "x", "dtype": "float32", "shape": "[batch, 1, 12, 12]"}]


def test_the_manifest_has_every_file_with_its_hash(deployed):
    target, _, folder = deployed
    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert list(files) == HOLDS[target]
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
    assert found == {*files, "manifest.json"}
    for name, entry in files.items():
        data = (folder / name).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def commands_in(text):
    """The command lines at the top of a program, in its comment."""
    lines = [line.strip(" */\n") for line in text.splitlines()[:6]]
    return [line for line in lines if line.startswith(("cc ", "./run_"))]


def test_a_folder_that_was_moved_still_works_by_what_its_programs_say(deployed, tmp_path):
    target, _, folder = deployed
    moved = tmp_path / "moved"
    shutil.move(folder, moved)
    for name in HOLDS[target]:
        if not name.startswith("run_"):
            continue
        commands = commands_in((moved / name).read_text()) if name.endswith(".c") else [f"{sys.executable} {name}"]
        assert commands
        for command in commands:
            environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
            result = subprocess.run(command, shell=True, cwd=moved, capture_output=True, text=True, env=environment)
            assert result.returncode == 0, command + result.stderr
        assert result.stdout == "16 items, 160 results\n"
        output, expected = (np.fromfile(moved / each, np.uint32) for each in ("output.bin", "expected.bin"))
        np.testing.assert_array_equal(output, expected)
        (moved / "output.bin").unlink()


def test_a_machine_without_a_compiler_is_told_what_was_not_run(samebits, trained, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    result = samebits("deploy", trained.path, "--target", "edge", "--out", "out")
    assert result.returncode == 0, result.stderr
    assert "run_header.c: not run: no-such-compiler: No such file or directory\n" in result.stdout
    manifest = json.loads((samebits.folder / "out/manifest.json").read_text())
    assert manifest["programs"] == {"run_header.c": {"not_run": "no-such-compiler: No such file or directory"}}


def test_a_dry_run_makes_nothing(samebits, trained):
    result = samebits("deploy", trained.path, "--target", "edge", "--dry-run")
    assert (result.returncode, result.stdout) == (0, "net_edge: one C99 header, no operating system needed\n")
    assert not (samebits.folder / "net_edge").exists()


def test_deploy_refuses_an_unknown_target_with_the_valid_ones(samebits, trained):
    assert error_of(samebits("deploy", trained.path, "--target", "phone"), 2) == (
        "error: [samebits] --target: phone not in {mobile,desktop,edge,server}; samebits deploy --help shows an example\n"
    )


def test_deploy_refuses_a_folder_that_is_there_and_leaves_it(samebits, trained):
    (samebits.folder / "out").mkdir()
    (samebits.folder / "out/mine.txt").write_text("mine")
    result = samebits("deploy", trained.path, "--target", "edge", "--out", "out")
    assert error_of(result, 2) == (
        "error: [deploy] out: expected a folder that is not there yet, got one; remove it or choose another by --out\n"
    )
    assert [each.name for each in (samebits.folder / "out").iterdir()] == ["mine.txt"]


def test_deploy_leaves_nothing_behind_when_a_format_cannot_hold_the_model(samebits, tmp_path):
    """A C header has no hardswish."""
    data = write_data(tmp_path / "small", size=8, train=60, test=20)
    text = config_text(data, model="{name: mobilenet, width: 4, depth: 1}")
    run = samebits.train(text.replace("batch_size: 20", "batch_size: 5"))
    before = {each.name for each in samebits.folder.iterdir()}
    result = samebits("deploy", run.path, "--target", "edge", "--out", "out")
    assert result.returncode == 2 and "[c_header]" in result.stderr
    assert {each.name for each in samebits.folder.iterdir()} == before


def test_help_shows_an_example(samebits):
    result = samebits("deploy", "--help")
    assert result.returncode == 0
    assert "Example: samebits deploy runs/" in result.stdout


def test_the_programs_stand_in_the_examples_as_they_are_written():
    assert sorted(path.name for path in (ROOT / "examples/deploy").iterdir()) == [
        "run_header.c", "run_onnx.py", "run_package.c", "run_package.py"]  # fmt: skip
