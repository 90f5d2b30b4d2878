"""pt2_models.py FOLDER [MODEL...]: writes NAME.pt2, and NAME.safetensors with what Python computes, for each model.

The archives are what torch.export.save makes of models in train mode with a free batch. A reference has, for two batches
("exported" and "other"), the inputs, the outputs of a training forward, every gradient, the buffers after it and the
outputs of an evaluation; and the losses of steps of SGD. Models of torchvision are written where it is installed.
"""

import argparse
import copy
import pathlib
import warnings

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

BATCH, OTHER_BATCH, STEPS = 4, 7, 10


class Residual(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout)
        self.conv2, self.bn2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False), nn.BatchNorm2d(cout)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += self.shortcut(x)
        return self.relu(y)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.bn = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.blocks, self.fc = nn.Sequential(Residual(8, 8, 1), Residual(8, 16, 2)), nn.Linear(16, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn(self.stem(x))), 2)
        return self.fc(F.adaptive_avg_pool2d(self.blocks(x), 1).flatten(1))


class MobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.bn1 = nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)
        self.depthwise, self.bn2 = nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16)
        self.squeeze, self.excite, self.project = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1), nn.Conv2d(16, 16, 1)
        self.drop, self.fc = nn.Dropout(0.2), nn.Linear(16, 5)

    def forward(self, x):
        x = F.hardswish(self.bn1(self.stem(x)))
        y = F.hardswish(self.bn2(self.depthwise(x)))
        scale = F.hardsigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))))
        return self.fc(self.drop((self.project(y * scale) + x).mean((2, 3))))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.fc = nn.Embedding(30, 8), nn.Linear(12, 5)
        self.lstm = nn.LSTM(8, 12, num_layers=2, batch_first=True, dropout=0.1)

    def forward(self, tokens):
        return self.fc(self.lstm(self.embedding(tokens))[0][:, -1])


class Gru(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.fc = nn.GRU(6, 10, batch_first=True, bidirectional=True), nn.Linear(20, 4)

    def forward(self, x):
        return self.fc(torch.tanh(self.gru(x)[0]))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(6, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.fc = nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, x):
        return self.fc(self.norm(self.encoder(self.embed(x)).mean(1)))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.norm1, self.norm2 = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, width=32, heads=2, layers=2):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(40, width), nn.Embedding(16, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 40, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Mixed(nn.Module):
    """What models do on the side: constants, in-place work on views and buffers, no_grad, infinities, several results."""

    def __init__(self):
        super().__init__()
        self.fc, self.out = nn.Linear(8, 8), nn.Linear(8, 5)
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("grid", torch.arange(8.0), persistent=False)

    def forward(self, x):
        with torch.no_grad():
            self.mean.mul_(0.9).add_(x.mean(0), alpha=0.1)
            scale = self.fc(x).abs().mean() * 0.3 * 0.7  # no gradient, and float32: a number does not widen it
        y = self.fc(x - self.mean) + self.grid * torch.tensor([0.5, -0.5] * 4)
        y = y.masked_fill(y < -1, float("-inf")).clamp(min=-2) * (x.shape[0] ** -0.5)
        y[:, 0] = 1.0
        y = y / scale
        return {"y": self.out(y), "rest": (y.sum(1), y.argmax(1))}


def images(n):
    return torch.randn(n, 3, 16, 16)


def sequences(n):
    return torch.randn(n, 7, 6)


def tokens(n):
    return torch.randint(0, 30, (n, 7))


CASES = {
    "resnet": (ResNet, images),
    "mobilenet": (MobileNet, images),
    "lstm": (Lstm, tokens),
    "gru": (Gru, sequences),
    "encoder": (Encoder, sequences),
    "gpt": (Gpt, tokens),
    "mixed": (Mixed, lambda n: torch.randn(n, 8)),
}


def torchvision_cases():
    try:
        import torchvision
    except ImportError:
        return {}

    def case(name, size):
        return lambda: getattr(torchvision.models, name)(weights=None), lambda n: torch.randn(n, 3, size, size)

    return {name: case(name, size) for name, size in (("resnet18", 64), ("mobilenet_v3_small", 64), ("vit_b_16", 224))}


def flat(result):
    return [x.detach().clone() for x in torch.utils._pytree.tree_leaves(result)]


def loss_of(result):
    return sum(x.square().mean() for x in torch.utils._pytree.tree_leaves(result) if x.is_floating_point())


def train_step(model, x):
    torch.manual_seed(1)  # dropout draws the same numbers in C++
    loss = loss_of(model(x))
    loss.backward()
    return loss.detach()


def eager_reference(model, batches):
    """What the C++ side must reproduce for each batch, each time from a fresh copy of the weights."""
    reference = {}
    for key, x in batches.items():
        torch.manual_seed(1)
        outputs = flat(copy.deepcopy(model)(x))
        copied = copy.deepcopy(model)
        train_step(copied, x)
        reference |= {f"{key}.x": x} | {f"{key}.y.{i}": y for i, y in enumerate(outputs)}
        reference |= {f"{key}.grad.{name}": p.grad for name, p in copied.named_parameters() if p.grad is not None}
        reference |= {f"{key}.eval.{i}": y for i, y in enumerate(flat(copied.eval()(x)))}
        reference |= {f"{key}.buffer.{name}": b for name, b in copied.named_buffers()}
    return reference


def losses(model, x):
    model = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    values = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        values.append(train_step(model, x))
        optimizer.step()
    return torch.stack(values)


def write(folder, name, make_model, make_input):
    torch.manual_seed(len(name))
    model = make_model().train()
    batches = {"exported": make_input(BATCH), "other": make_input(OTHER_BATCH)}
    program = torch.export.export(model, (batches["exported"],), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, folder / f"{name}.pt2")
    reference = eager_reference(model, batches) | {"losses": losses(model, batches["exported"])}
    save_file({key: value.contiguous() for key, value in reference.items()}, folder / f"{name}.safetensors")


def write_refused(folder):
    """Archives that load_pt2 refuses by name."""

    class Branch(nn.Module):
        def forward(self, x):
            return torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x - 1, (x,))

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            return self.fc(x).relu()

    class Complex(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("phase", torch.zeros(4, dtype=torch.complex64))

        def forward(self, x):
            return (x * self.phase).real

    x = (torch.randn(2, 4),)
    torch.export.save(torch.export.export(Branch(), x), folder / "cond.pt2")
    torch.export.save(torch.export.export(Complex(), x), folder / "complex.pt2")
    small = torch.export.export(Small(), x, dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(small, folder / "small.pt2")
    torch.export.save(torch.export.export(ResNet(), (images(2),)).run_decompositions(), folder / "inference.pt2")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("models", nargs="*")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    cases = CASES | torchvision_cases()
    for name in options.models or cases:
        write(options.folder, name, *cases[name])
    if not options.models:
        write_refused(options.folder)
