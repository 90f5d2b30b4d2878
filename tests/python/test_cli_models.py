"""samebits train with models of torch's own modules, in float and on integers, and with archives of torch.export."""

import json

import pytest
from cli_runs import MLP, Run, config_text, error_of, write_data
from safetensors import safe_open


@pytest.fixture(scope="module")
def text_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "a.txt"
    path.write_text("To be, or not to be, that is the question. " * 30)
    return path


@pytest.fixture(scope="module")
def small_images(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("small"), size=8, train=120, test=40)


def float_config(data, model, name="net"):
    return (
        f"name: {name}\nthreads: 1\ndata: {data}\nmodel: {model}\n"
        "train: {epochs: 4, optimizer: {lr: 5e-3}}\nqat: {epochs: 0}\n"
    )


# (model, whether it learns a text, a score that it reaches: accuracy, or bits per byte)
MODELS = {
    "resnet20": ("{name: resnet20, width: 4, depth: 1}", False, 20),
    "mobilenet": ("{name: mobilenet, width: 4, depth: 1}", False, 20),
    "lstm": ("{name: lstm, width: 32}", False, 20),
    "gru": ("{name: gru, width: 32}", False, 20),
    "transformer": ("{name: transformer, width: 32, depth: 1}", False, 20),
    "lstm_of_tokens": ("{name: lstm, width: 32}", True, 6),
    "gru_of_tokens": ("{name: gru, width: 32}", True, 6),
    "gpt": ("{name: gpt, width: 32, depth: 1}", True, 6),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_network_of_torchs_own_layers_trains_in_float(samebits, small_images, text_file, name):
    model, is_text, goal = MODELS[name]
    data = f"{{text: {text_file}, sequence: 16, batch_size: 4}}" if is_text else f"{{idx: {small_images}, batch_size: 10}}"
    run = samebits.train(float_config(data, model))
    status = run.status()
    metric = "bits_per_byte" if is_text else "accuracy"
    assert status == {"state": "done", metric: {"fp32": status[metric]["fp32"], "ptq": None, "qat": None, "exported": None}}
    assert (status[metric]["fp32"] < goal) if is_text else (status[metric]["fp32"] > goal)
    assert [record["phase"] for record in run.metrics() if record["kind"] == "epoch"] == ["fp32"] * 4
    assert not list((run.path / "export").iterdir())
    page = (run.path / "report.html").read_text()
    assert "not verified" in page and ">FP32</" in page and ">QAT</" not in page
    evaluated = samebits("eval", run.path)
    assert evaluated.stdout.startswith(metric) and evaluated.returncode == 0
    before = run.checkpoint("final").read_bytes()
    samebits.resume(run)
    assert run.checkpoint("final").read_bytes() == before


def qat_config(data, model, qat="{epochs: 2, observe_steps: 6}"):
    return (
        f"name: net\nthreads: 1\ndata: {data}\nmodel: {model}\ntrain: {{epochs: 3, optimizer: {{lr: 5e-3}}}}\nqat: {qat}\n"
        "checkpoint_every: 3\n"
    )


def tensors_of(run, name):
    with safe_open(run.checkpoint(name), framework="numpy") as file:
        return sorted(key for key in file.keys() if key.startswith("model."))


@pytest.fixture(scope="module")
def resnet_config(small_images):
    return qat_config(f"{{idx: {small_images}, batch_size: 10}}", MODELS["resnet20"][0])


@pytest.fixture(scope="module")
def resnet_run(shared_samebits, resnet_config):
    return shared_samebits.train(resnet_config)


@pytest.mark.parametrize("name", ["resnet20", "mobilenet", "lstm", "gru"])
def test_a_network_of_torchs_own_layers_trains_on_the_integers_it_ships(samebits, small_images, name):
    run = samebits.train(qat_config(f"{{idx: {small_images}, batch_size: 10}}", MODELS[name][0]))
    status = run.status()
    assert status["verify"]["differing"] == {"package": 0, "onnx": 0}
    assert status["accuracy"]["exported"] == status["accuracy"]["qat"] > 20
    graph = json.loads((run.path / "export/model.samebits/graph.json").read_text())
    layers = [node["name"] for node in graph["nodes"] if node["op"] in ("conv2d", "linear", "lstm", "gru")]
    assert {f"{name}.ih_l0", f"{name}.hh_l0"} <= set(layers) if name in ("lstm", "gru") else "stem" in layers
    assert "fc" in layers
    assert not [node for node in graph["nodes"] if node["op"].startswith("float_")]
    own, more = set(tensors_of(run, "fp32")), set(tensors_of(run, "final"))
    assert own <= more
    assert {key.split(".input.")[0].removeprefix("model.") for key in more - own} == set(layers)
    assert samebits("eval", run.path, "--package").returncode == 0


def test_a_captured_network_goes_on_to_the_same_bytes(samebits, resnet_config, resnet_run):
    def is_quantizing(run):
        return run.metrics()[-1].get("phase") == "quantizing"

    run, _ = samebits.train_until(resnet_config, is_quantizing)
    samebits.resume(run)
    assert run.results() == resnet_run.results()


def test_a_network_that_cannot_ship_is_refused_before_it_is_trained(samebits, small_images, tmp_path):
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(64, 10)

        def forward(self, x):
            return self.fc(torch.lgamma(x.flatten(1).abs() + 1))

    batch = torch.export.Dim("batch")
    program = torch.export.export(Net().train(), (torch.randn(3, 1, 8, 8),), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "net.pt2")
    config = samebits.write_config(
        qat_config(f"{{idx: {small_images}, batch_size: 10}}", f"{{pt2: {tmp_path / 'net.pt2'}}}")
    )
    message = error_of(samebits("train", config), 2)
    assert message.startswith("error: [prepare] model: expected operators that ship, got ")
    assert "\n  aten::lgamma" in message
    assert not (samebits.folder / "runs").exists()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An archive of Python for images of 8 x 8, whose batch is free, and one whose batch is not."""
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Linear(4 * 4 * 4, 10)

        def forward(self, x):
            return self.fc(torch.nn.functional.max_pool2d(torch.relu(self.conv(x)), 2).flatten(1))

    torch.manual_seed(0)
    folder, example = tmp_path_factory.mktemp("pt2"), (torch.randn(4, 1, 8, 8),)
    free = torch.export.export(Net().train(), example, dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(free, folder / "net.pt2")
    torch.export.save(torch.export.export(Net().train(), example), folder / "fixed.pt2")
    return folder / "net.pt2"


def test_a_model_of_python_trains_on_the_integers_it_ships(samebits, small_images, archive):
    run = samebits.train(qat_config(f"{{idx: {small_images}, batch_size: 10}}", f"{{pt2: {archive}}}"))
    status = run.status()
    assert status["verify"]["differing"] == {"package": 0, "onnx": 0}
    assert status["accuracy"]["exported"] == status["accuracy"]["qat"] > 20
    assert tensors_of(run, "fp32") == ["model.conv.bias", "model.conv.weight", "model.fc.bias", "model.fc.weight"]
    assert f"pt2: {archive}" in (run.path / "config.resolved.yaml").read_text()
    before = run.results()
    samebits.resume(run)
    assert run.results() == before


def test_a_model_of_python_that_does_not_fit_is_refused_before_it_is_trained(samebits, data, small_images, archive):
    images = f"{{idx: {small_images}, batch_size: 10}}"
    other = archive.with_name("fixed.pt2")
    cases = [
        (f"{{idx: {data}}}", archive, f"[model] {archive}: input 1: expected [batch, 1, 8, 8], got [2, 1, 12, 12]"),
        (
            images.replace("10}", "10, classes: 12}"),
            archive,
            f"[model] {archive}: expected outputs [2, 12] for inputs [2, 1, 8, 8], got [2, 10]",
        ),
        (
            images,
            other,
            f"[model] {other}: expected an input whose first size is free, got a fixed batch; name it in dynamic_shapes of "
            "torch.export.export",
        ),
    ]
    for images, file, expected in cases:
        config = samebits.write_config(qat_config(images, f"{{pt2: {file}}}"))
        assert error_of(samebits("train", config), 2) == f"error: {expected}\n"
    missing = samebits.write_config(qat_config(images, "{pt2: none.pt2}"))
    assert error_of(samebits("train", missing), 2).startswith("error: [pt2] none.pt2: ")
    assert not (samebits.folder / "runs").exists()


def test_a_float_run_cannot_be_exported(samebits, small_images):
    run = samebits.train(float_config(f"{{idx: {small_images}, batch_size: 20}}", MLP))
    assert error_of(samebits("export", run.path), 2) == (
        f"error: [export] {run.path}: expected a run that reached its QAT epochs, got one in its float epochs; train it "
        "with qat.epochs > 0\n"
    )


def test_a_run_begins_with_the_weights_of_another(samebits, data):
    first = samebits.train(config_text(data, model=MLP, name="first").replace("epochs: 2", "epochs: 1"), *(["--set", "name=net"]))
    weights = first.checkpoint("fp32")
    config = samebits.write_config(config_text(data, model=MLP, top=f"threads: 1\ninit: {weights}"), "second.yaml")
    result = samebits("train", config, "--set", "name=second", "--set", "train.epochs=1", "--set", "qat.epochs=1")
    assert result.returncode == 0, result.stderr
    second = Run(samebits.folder / "runs/second/latest")
    loss = [next(record["loss"] for record in run.metrics() if record["kind"] == "step") for run in (first, second)]
    assert loss[1] < 0.7 * loss[0]
    wrong = samebits.write_config(config_text(data, top=f"threads: 1\ninit: {weights}"), "wrong.yaml")
    assert error_of(samebits("train", wrong), 2) == (
        f"error: [init] {weights}: conv1.bias: expected F32 [4], got none; is it of another model?\n"
    )


def test_layers_left_in_float_are_trained_exported_verified_and_reported(samebits, data):
    run = samebits.train(
        config_text(data, qat=", layers: {conv1: {skip: true}, fc1: {skip: true}}").replace("epochs: 2", "epochs: 1")
    )
    status = run.status()
    assert status["verify"]["differing"] == {"package": 0, "onnx": 0}
    result = samebits("verify", run.path, "--json", "verify.json")
    assert result.returncode == 0, result.stdout
    counts = json.loads((samebits.folder / "verify.json").read_text())
    assert counts == status["verify"]
    more = counts.get("differing_float", {}).get("onnx", 0)
    sentence = f", {more:,} more by how the engine sums float layers" if more else ""
    assert f"model.onnx: 0 of 1,000 logits differ (100 images){sentence}\n" in result.stdout
    page = (run.path / "report.html").read_text()
    assert ("by how the engine sums float layers" in page) == (more > 0)
    assert ">conv2</" in page and ">conv1</" not in page
    graph = json.loads((run.path / "export/model.samebits/graph.json").read_text())
    operators = {node["name"]: node["op"] for node in graph["nodes"] if node["name"] in ("conv1", "conv2", "fc1", "fc2")}
    assert operators == {"conv1": "float_conv2d", "conv2": "conv2d", "fc1": "float_linear", "fc2": "linear"}


def test_a_validation_part_is_looked_at_after_each_epoch(samebits, data):
    text = config_text(data, model=MLP, data=", validation_fraction: 0.25").replace("epochs: 2", "epochs: 1")
    run = samebits.train(text)
    epochs = [record for record in run.metrics() if record["kind"] == "epoch"]
    assert all({"test_loss", "accuracy", "validation_loss", "validation_accuracy"} <= set(record) for record in epochs)
    whole = samebits.train(text.replace(", validation_fraction: 0.25", ""))
    assert all("validation_loss" not in record for record in whole.metrics())
