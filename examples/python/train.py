"""A model of Python, trained 100 steps on the integers that it ships: python train.py [FOLDER]. Writes net.samebits,
net.onnx and net.qdq.onnx there, and says what each gives."""

import sys
from pathlib import Path

import samebits
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.fc = samebits.nn.QATLinear(8 * 6 * 6, 4, weight_bits=4, group_size=32)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        return self.fc(x.flatten(1))


def images(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise with a bright quarter, and which one it is."""
    x, target = torch.rand(count, 1, 12, 12), torch.randint(4, (count,))
    for i, quarter in enumerate(target.tolist()):
        x[i, 0, quarter // 2 * 6 :, quarter % 2 * 6 :][:6, :6] += 0.5
    return x, target


def main(folder: Path) -> int:
    torch.manual_seed(1)
    net, (example, _) = Net(), images(4)
    model = samebits.prepare(net, "int8", example, observe_steps=20)
    print(model.report())
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for step in range(100):
        if step == 70:
            model.freeze()
            model.freeze_bn()
        x, target = images(64)
        loss = nn.functional.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 33 == 0:
            print(f"step {step}  {model.state}  loss {loss.item():.4f}")

    model.eval()
    quantized = samebits.convert(model, example, "net")
    quantized.save(folder / "net.samebits")
    quantized.export(folder / "net.onnx", "onnx")
    quantized.export(folder / "net.qdq.onnx", "onnx_qdq")

    x, target = images(500)
    with torch.no_grad():
        expected = model(x)
    got = samebits.load(folder / "net.samebits")(x)
    print(f"accuracy {(expected.argmax(1) == target).float().mean():.3f}")
    print(f"{int((got != expected).sum())} of {got.numel()} logits of the package differ")
    for name in ("net.samebits", "net.onnx", "net.qdq.onnx"):
        print(samebits.verify(model, folder / name, [x]))
    model.copy_to(net)  # the float weights, for Python
    return int(not torch.equal(got, expected))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
