"""samebits.prepare, convert, save, load and verify: an nn.Module trains on the integers that its package holds."""

import subprocess
import sys
from pathlib import Path

import pytest
import samebits
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]


class Net(nn.Module):
    def __init__(self, layer=nn.Linear, **options):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.drop, self.fc = nn.Dropout(0.3), layer(6 * 4 * 4, 5, **options)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        return self.fc(self.drop(x.flatten(1)))


def batch(count: int, seed: int = 3) -> torch.Tensor:
    return torch.randn(count, 2, 8, 8, generator=torch.Generator().manual_seed(seed))


def train(model: nn.Module, steps: int) -> list[float]:
    optimizer, losses = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9), []
    for step in range(steps):
        loss = (model(batch(16, step % 4)) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def trained(config="int8", net=None) -> samebits.Model:
    torch.manual_seed(5)
    model = samebits.prepare(net or Net(), config, batch(4), observe_steps=3)
    train(model, 12)
    model.freeze()
    return model.eval()


@pytest.mark.parametrize("config", ["int8", "w4a8", {"weight": {"bits": 5}, "layers": {"conv": {"skip": True}}}])
def test_a_package_gives_the_bits_of_the_model_that_python_trained(config, tmp_path):
    model = trained(config)
    samebits.save(model, tmp_path / "net.samebits", batch(4))
    package = samebits.load(tmp_path / "net.samebits")
    for count in (1, 7, 64):
        with torch.no_grad():
            expected = model(batch(count, 9))
        got = package(batch(count, 9))
        assert expected.view(torch.int32).equal(got.view(torch.int32))
    found = samebits.verify(model, tmp_path / "net.samebits", [batch(30), batch(1)])
    assert str(found) == "net.samebits: 0 of 155 logits differ (31 images)"
    assert (found.images, found.logits, found.differing, found.differing_float) == (31, 155, 0, 0)


def test_a_captured_model_computes_and_trains_like_its_module():
    torch.manual_seed(5)
    net = Net()
    model = samebits.capture(net, batch(4))
    assert [name for name, _ in model.named_parameters()] == [name for name, _ in net.named_parameters()]
    assert model.state_dict().keys() == net.state_dict().keys()
    net.eval(), model.eval()
    assert model(batch(9)).equal(net(batch(9)))
    net.train(), model.train()
    assert isinstance(model.fc.weight, nn.Parameter)
    net.drop.p = 0.0  # dropout draws in both; without it steps are the same
    net2 = Net()
    net2.load_state_dict(net.state_dict())
    net2.drop.p = 0.0
    model2 = samebits.capture(net2, batch(4))
    assert train(model2, 5) == train(net2, 5)
    for name, tensor in model2.state_dict().items():
        assert tensor.equal(net2.state_dict()[name]), name


def test_training_lowers_the_loss_through_all_states():
    torch.manual_seed(5)
    model = samebits.prepare(Net(), "int8", batch(4), observe_steps=3)
    assert model.state == "observing"
    losses = train(model, 40)
    assert model.state == "quantizing"
    assert losses[-1] < 0.5 * losses[0]
    model.freeze()
    assert model.state == "frozen"


def test_weights_go_back_to_the_module():
    net = Net()
    model = trained(net=net)
    assert not model.fc.weight.equal(net.fc.weight)
    model.copy_to(net)
    assert model.fc.weight.equal(net.fc.weight) and model.norm.running_var.equal(net.norm.running_var)


def test_a_layer_says_its_own_scheme():
    net = Net(samebits.nn.QATLinear, weight_bits=4, group_size=32)
    assert isinstance(net.fc, nn.Linear)
    report = samebits.prepare(net, "int8", batch(4)).report()
    assert [" ".join(line.split()) for line in report.splitlines()[1:3]] == [
        "conv conv2d int8 per channel int8 affine converted (with batch norm norm)",
        "fc linear int4 groups of 32 int8 affine converted",
    ]
    net.conv = samebits.nn.QATConv2d(2, 6, 3, padding=1, skip=True)
    assert "skipped (the configuration skips it" in samebits.prepare(net, "int8", batch(4)).report()


def test_every_format_is_written(tmp_path):
    quantized = samebits.convert(trained({"activation": {"symmetric": True}}), batch(4))
    for format, ending in [("onnx", "onnx"), ("onnx_qdq", "qdq.onnx"), ("onnx_tensorrt", "trt.onnx"), ("npz", "npz")]:
        quantized.export(tmp_path / f"net.{ending}", format)
        assert (tmp_path / f"net.{ending}").is_file()
    package = samebits.load(tmp_path / "net.npz")
    assert (len(package.input_names), len(package.output_names)) == (1, 1)


@pytest.mark.parametrize(
    "action, text",
    [
        (lambda: samebits.prepare(Net(), "int9", batch(4)), '[qconfig] preset: expected int8, int4, int2, w4a8, first_last_8 or fp32, got "int9"'),
        (lambda: samebits.prepare(Net(), {"weight": {"bitz": 8}}, batch(4)),
         '[config] config:1: weight.bitz: unknown key; did you mean "bits"?'),
        (lambda: samebits.capture(Net(), batch(1)),
         "[samebits] example: expected a batch of at least 2, got 1: torch.export fixes sizes of 1"),
        (lambda: samebits.capture(Net(), batch(4)).report(),
         "[samebits] model: expected a prepared one, got a float model; call samebits.prepare()"),
        (lambda: samebits.convert(trained(), batch(4)).export("x", "tflite"),
         "[samebits] format: expected one of onnx, onnx_qdq, onnx_tensorrt, package, safetensors, compressed_tensors, gguf, "
         'npz, c_header, got "tflite"'),
    ],
)  # fmt: skip
def test_an_error_is_that_of_the_library(action, text):
    with pytest.raises((RuntimeError, ValueError)) as error:
        action()
    assert str(error.value).splitlines()[0] == text


def test_the_version_is_that_of_the_project():
    assert samebits.__version__ == (ROOT / "version.txt").read_text().strip()


def test_the_example_trains_a_hundred_steps_and_ships_its_bits(tmp_path):
    command = [sys.executable, ROOT / "examples" / "python" / "train.py", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    lines = run.stdout.splitlines()
    assert "0 of 2000 logits of the package differ" in lines
    assert "net.samebits: 0 of 2,000 logits differ (500 images)" in lines
    assert "net.onnx: 0 of 2,000 logits differ (500 images)" in lines
    assert lines[-1].startswith("net.qdq.onnx: promises no bits; ") and lines[-1].endswith("images are decided otherwise")
    accuracy = float(next(line for line in lines if line.startswith("accuracy ")).split()[1])
    assert accuracy > 0.9
