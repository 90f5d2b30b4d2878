"""samebits train from the configuration to the report: the whole path, for each kind of scheme."""

import json
import os
import pty
import re
import subprocess

import numpy as np
import pytest
from cli_runs import CNN, MLP, STEPS, TEST, Samebits, config_text, write_data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

LAYERS = {CNN: ["conv1", "conv2", "fc1", "fc2"], MLP: ["fc1", "fc2", "fc3"]}

# (name, model, arguments of config_text)
CASES = {
    "cnn_int8": (CNN, {}),
    "cnn_int4_in_groups": (CNN, {"qat": ', weight: {bits: 4}, layers: {"fc*": {weight: {group_size: 32}}}'}),
    "cnn_affine_int4": (CNN, {"qat": ", weight: {bits: 4, symmetric: false}"}),
    "mlp_int8_of_one_scale": (MLP, {"qat": ", weight: {granularity: per_tensor}"}),
    "mlp_5_bit_activations": (MLP, {"qat": ", activation: {bits: 5, observer: min_max}"}),
    "mlp_sgd_symmetric_augmented_two_threads": (
        MLP,
        {
            "top": "threads: 2\nseed: 3",
            "data": ", augment: {crop_padding: 1}",
            "train": ", schedule: {name: constant, warmup_steps: 5}",
            "qat": ", optimizer: {name: sgd, lr: 1e-2}, activation: {symmetric: true}, freeze_at: 0.5",
        },
    ),
}


class Trained:
    def __init__(self, program, folder, data, name):
        self.name = name
        self.model, extra = CASES[name]
        self.samebits = Samebits(program("samebits"), folder)
        self.config = self.samebits.write_config(config_text(data, model=self.model, **extra))
        self.result = self.samebits("train", self.config)
        assert self.result.returncode == 0, self.result.stderr
        self.run = self.samebits.newest_run()
        self.layers = LAYERS[self.model]


@pytest.fixture(scope="module", params=CASES)
def trained(request, program, tmp_path_factory, data):
    return Trained(program, tmp_path_factory.mktemp(request.param), data, request.param)


def test_the_exported_files_give_the_bits_of_training(trained):
    status = trained.run.status()
    assert status["state"] == "done"
    assert status["verify"] == {"images": TEST, "logits": 10 * TEST, "differing": {"package": 0, "onnx": 0}}
    accuracy = status["accuracy"]
    assert list(accuracy) == ["fp32", "ptq", "qat", "exported"]
    assert accuracy["exported"] == accuracy["qat"]
    assert accuracy["fp32"] > 90 and accuracy["qat"] > 90 and accuracy["ptq"] > 50, accuracy


def test_prints_the_results_and_where_they_are(trained):
    accuracy = trained.run.status()["accuracy"]
    lines = [f"{name:9} {value:6.2f}%" for name, value in accuracy.items()]
    lines += [f"model.{kind}: 0 of 1,000 logits differ (100 images)" for kind in ("samebits", "onnx")]
    *printed, report = trained.result.stdout.splitlines()
    assert printed == lines
    assert re.fullmatch(r"report    runs/net/\d{8}-\d{6}/report\.html", report)
    assert (trained.samebits.folder / report.split()[1]).samefile(trained.run.path / "report.html")


def test_output_to_a_pipe_has_whole_lines_without_escape_codes(trained):
    text = trained.result.stdout + trained.result.stderr
    assert "\x1b" not in text and "\r" not in text
    # On a busy machine an epoch also has lines on its way.
    epochs = [line for line in trained.result.stderr.splitlines() if re.match(rf"epoch .*  step {STEPS}/{STEPS}  ", line)]
    assert [line.split("  ")[0] for line in epochs] == ["epoch 1/2", "epoch 2/2"] * 2
    assert [line.split("  ")[1] for line in epochs[:2]] == ["fp32", "fp32"]


def test_the_run_folder_is_complete(trained):
    run = trained.run.path
    names = {str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()}
    events = {name for name in names if name.startswith("events.out.tfevents.")}
    assert len(events) == 1
    assert names - events == {
        "config.resolved.yaml", "env.json", "metrics.jsonl", "report.html", "status.json",
        "checkpoints/fp32.safetensors", "checkpoints/last.safetensors", "checkpoints/final.safetensors",
        "export/model.onnx", "export/model.samebits/SHA256SUMS", "export/model.samebits/graph.json",
        "export/model.samebits/codes.safetensors",
    }  # fmt: skip
    assert (run.parent / "latest").resolve() == run


def test_env_json_says_what_computed(trained):
    environment = json.loads((trained.run.path / "env.json").read_text())
    assert list(environment) == ["samebits", "libtorch", "compiler", "processor", "features", "kernels", "threads"]
    assert environment["threads"] == (2 if "two_threads" in trained.name else 1)
    assert {"fake_quantize", "gemm_int8"} <= set(environment["kernels"])


def test_the_resolved_configuration_repeats_the_run(trained):
    resolved = trained.run.path / "config.resolved.yaml"
    result = trained.samebits("train", resolved, "--set", "output=again")
    assert result.returncode == 0, result.stderr
    again = trained.samebits.folder / "again" / "net" / "latest"
    assert (again / "checkpoints/final.safetensors").read_bytes() == trained.run.checkpoint("final").read_bytes()
    text = (again / "config.resolved.yaml").read_text()
    assert text == resolved.read_text().replace("output: runs", "output: again")


def test_metrics_have_a_line_every_ten_steps_and_one_an_epoch(trained):
    metrics = trained.run.metrics()
    steps = [record for record in metrics if record["kind"] == "step"]
    epochs = [record for record in metrics if record["kind"] == "epoch"]
    assert [record["step"] for record in steps] == list(range(10, 4 * STEPS + 1, 10))
    assert [(record["epoch"], record["step"]) for record in epochs] == [(n, n * STEPS) for n in (1, 2, 3, 4)]
    assert [record["step"] for record in metrics if record["kind"] == "ptq"] == [2 * STEPS]
    assert len(metrics) == len(steps) + len(epochs) + 1
    phases = list(dict.fromkeys(record["phase"] for record in steps))
    assert phases == ["fp32", "quantizing", "frozen"]  # ten steps observe; the record of the tenth is written after it
    assert all(np.isfinite([record["loss"], record["lr"]]).all() for record in steps)


def test_tensorboard_reads_the_curves_and_the_codes(trained):
    events = EventAccumulator(str(trained.run.path), size_guidance={"scalars": 0, "histograms": 0})
    events.Reload()
    tags = events.Tags()
    assert sorted(tags["scalars"]) == ["test/accuracy", "test/loss", "train/epoch_loss", "train/loss", "train/lr"]
    assert sorted(tags["histograms"]) == sorted(f"codes/{layer}" for layer in trained.layers)
    epochs = [record for record in trained.run.metrics() if record["kind"] == "epoch"]
    assert [point.step for point in events.Scalars("test/accuracy")] == [record["step"] for record in epochs]
    accuracies = [point.value for point in events.Scalars("test/accuracy")]
    assert accuracies == pytest.approx([record["accuracy"] for record in epochs], rel=1e-6)
    for layer in trained.layers:
        assert [point.step for point in events.Histograms(f"codes/{layer}")] == [3 * STEPS, 4 * STEPS]


def test_the_report_shows_the_results_of_every_layer(trained):
    html = (trained.run.path / "report.html").read_text()
    accuracy = trained.run.status()["accuracy"]
    for text in ["net", *trained.layers, *(f"{value:.2f}" for value in accuracy.values())]:
        assert text in html, text


def test_the_table_of_layers_is_printed_before_the_export(trained):
    lines = trained.result.stderr.splitlines()
    table = lines.index(next(line for line in lines if line.startswith("layer ")))
    rows = [re.split(r"  +", line) for line in lines[table + 1 : table + 1 + len(trained.layers)]]
    assert [row[0] for row in rows] == trained.layers
    assert all(row[-1] == "converted" for row in rows)
    assert lines[-2:] == ["exporting", "verifying on 100 test examples"]


def test_progress_on_a_terminal_is_redrawn_in_place(samebits, data):
    config = samebits.write_config(config_text(data))
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        [samebits.program, "train", config, "--set", "export=[package]"],
        cwd=samebits.folder, env=samebits.environment({}), stdout=subprocess.PIPE, stderr=other_end,
    )  # fmt: skip
    os.close(other_end)
    text = b""
    try:
        while chunk := os.read(terminal, 65536):
            text += chunk
    except OSError:  # the other end was closed
        pass
    stdout, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 0
    assert re.search(rb"\r\x1b\[Kepoch 1/2  fp32  (\[=*>? *\]  )?step \d+/20  loss", text), text
    assert b"\x1b" not in stdout


def test_plain_image_files_are_read_like_gzipped_ones(samebits, data, tmp_path):
    plain = write_data(tmp_path / "plain", suffix="")
    only_package = ["--set", "export=[package]"]
    first = samebits.train(config_text(data), *only_package).results()
    assert samebits.train(config_text(plain), *only_package).results() == first


def test_limits_use_the_first_images(samebits, data):
    run = samebits.train(config_text(data, data=", train_limit: 100, test_limit: 30"), "--set", "qat.observe_steps=5")
    assert run.status()["verify"]["images"] == 30
    assert [record["step"] for record in run.metrics() if record["kind"] == "epoch"] == [5, 10, 15, 20]
