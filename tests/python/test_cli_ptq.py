"""samebits ptq on a trained run: the files that it writes and proves, its methods, and every refusal."""

import json
import re
import shutil

import numpy as np
import pytest
from cli_runs import TRAIN, Run, config_text, error_of, run_guide
from safetensors.numpy import load_file

BATCH = TRAIN // 20


@pytest.fixture(scope="module")
def trained(shared_samebits, data):
    return shared_samebits.train(config_text(data))


def ptq(samebits, run, *arguments):
    result = samebits("ptq", run.path, "--out", "out", *arguments)
    assert result.returncode == 0, result.stderr + result.stdout
    return result.stdout


def score(output, name):
    return float(re.search(rf"^{name} +([\d.]+)%$", output, re.M)[1])


@pytest.mark.parametrize("method", [
    [],
    ["--range", "mse"],
    ["--range", "kl", "--correct-bias"],
    ["--range", "percentile", "--percentile", "0.999", "--rounding", "gptq"],
    ["--weight-bits", "4", "--rounding", "gptq", "--correct-bias"],
], ids=" ".join)  # fmt: skip
def test_the_files_give_the_bits_of_the_model(samebits, trained, method):
    output = ptq(samebits, trained, *method)
    for name in ("model.samebits", "model.onnx"):
        assert f"{name}: 0 of 1,000 logits differ (100 images)\n" in output
    assert score(output, "ptq") > score(output, "fp32") - 10
    graph = json.loads((samebits.folder / "out/model.samebits/graph.json").read_text())
    bits = {node["weight"]["bits"] for node in graph["nodes"] if "weight" in node}
    assert bits == ({4} if "4" in method else {8})


def test_calibration_json_has_each_layers_record(samebits, trained):
    ptq(samebits, trained, "--range", "percentile", "--percentile", "0.99", "--batches", 3)
    layers = json.loads((samebits.folder / "out/calibration.json").read_text())["layers"]
    assert [layer["path"] for layer in layers] == ["conv1", "conv2", "fc1", "fc2"]
    for layer in layers:
        counts = np.array(layer["histogram"]["counts"])
        assert layer["batches"] == 3 and counts.sum() == layer["values"]
        low, high = layer["range"]
        assert layer["min"] <= low < high < layer["max"]
        edges = np.linspace(layer["histogram"]["low"], layer["histogram"]["high"], len(counts) + 1)
        outside = counts[(edges[1:] <= low) | (edges[:-1] >= high)].sum()
        assert layer["clipped_percent"] == pytest.approx(100 * outside / layer["values"], abs=0.2)
        quantiles = list(layer["percentiles"].values())
        assert quantiles == sorted(quantiles)
    assert layers[0]["values"] == 3 * BATCH * 144


def test_gptq_takes_other_codes_and_the_run_stays_as_it_was(samebits, trained, tmp_path):
    before = {path: path.read_bytes() for path in sorted(trained.path.rglob("*")) if path.is_file()}
    codes = []
    for rounding in ("nearest", "gptq"):
        ptq(samebits, trained, "--weight-bits", 4, "--rounding", rounding)
        codes.append(load_file(samebits.folder / "out/model.samebits/codes.safetensors"))
    assert any((codes[0][name] != codes[1][name]).any() for name in codes[0] if name.endswith(".weight"))
    scales = [name for name in codes[0] if name.endswith("scale")]
    assert scales
    for name in scales:
        np.testing.assert_allclose(codes[0][name], codes[1][name], rtol=2**-22)
    assert before == {path: path.read_bytes() for path in sorted(trained.path.rglob("*")) if path.is_file()}


def test_without_out_the_files_stand_in_the_run(samebits, trained, tmp_path):
    run = Run(shutil.copytree(trained.path, tmp_path / "run"))
    result = samebits("ptq", run.path)
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in (run.path / "ptq").iterdir()) == [
        "calibration.json", "model.onnx", "model.samebits"]  # fmt: skip


def test_a_dry_run_says_the_layers_and_writes_nothing(samebits, trained):
    result = samebits("ptq", trained.path, "--dry-run", "--weight-bits", 4, "--out", "out")
    assert result.returncode == 0, result.stderr
    assert re.search(r"^conv1 +conv2d +int4 per channel +int8 affine +converted$", result.stdout, re.M), result.stdout
    assert result.stdout.endswith(f"calibration on 16 batches of {BATCH} examples\n")
    assert not (samebits.folder / "out").exists()


def test_weights_that_come_trained_need_no_float_epochs(samebits, trained, data):
    """epochs 0 of both kinds: a run to quantize after training, whose float score is that of the weights."""
    text = config_text(data, top=f"threads: 1\ninit: {trained.checkpoint('fp32')}")
    run = samebits.train(text.replace("epochs: 2", "epochs: 0").replace(", observe_steps: 10", ""))
    accuracy = run.status()["accuracy"]
    assert accuracy == {"fp32": trained.status()["accuracy"]["fp32"], "ptq": None, "qat": None, "exported": None}
    assert [record["step"] for record in run.metrics()] == [0]
    output = ptq(samebits, run)
    assert score(output, "fp32") == pytest.approx(accuracy["fp32"], abs=0.01)
    assert "model.samebits: 0 of 1,000 logits differ (100 images)\n" in output


def test_weights_that_are_drawn_need_float_epochs(samebits, data):
    (samebits.folder / "net.yaml").write_text(config_text(data).replace("train: {epochs: 2", "train: {epochs: 0"))
    error = error_of(samebits("train", "net.yaml"), 2)
    assert error.startswith(
        "error: [config] net.yaml:5: train.epochs: expected an integer >= 1 for weights that are drawn, got 0; "
        "name the file of trained ones as init\n"
    )


# (arguments behind RUN, the error behind "error: ")
REFUSED = {
    "too many batches": (
        ["--batches", 21],
        "[ptq] --batches: expected at most the 20 batches of the training examples, got 21\n",
    ),
    "an unknown rounding": (
        ["--rounding", "best"],
        "[samebits] --rounding: best not in {nearest,gptq}; samebits ptq --help shows an example\n",
    ),
    "an unknown range": (
        ["--range", "all"],
        "[samebits] --range: all not in {min_max,percentile,mse,kl}; samebits ptq --help shows an example\n",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_ptq_refuses(samebits, trained, why):
    arguments, expected = REFUSED[why]
    assert error_of(samebits("ptq", trained.path, *arguments), 2) == f"error: {expected}"


def test_help_shows_an_example(samebits):
    result = samebits("ptq", "--help")
    assert result.returncode == 0
    assert "Example: samebits ptq runs/" in result.stdout


def test_the_commands_of_the_guide_work(samebits, data):
    run_guide(samebits, data, "docs/guides/ptq.md")
