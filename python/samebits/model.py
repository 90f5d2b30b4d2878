"""From an nn.Module to a file: capture, prepare, convert, save, load, verify. Each is a call of libsamebits_python.so, the
C++ library with classes for the dispatcher; only names and lists are turned here."""

from __future__ import annotations

import functools
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

_LIBRARY = "libsamebits_python.so"
Tensors = torch.Tensor | Sequence[torch.Tensor]


@functools.cache
def _classes():
    """torch.classes.samebits; the library lies beside the operators'."""
    import samebits

    path = samebits.library_path().with_name(_LIBRARY)
    try:
        torch.classes.load_library(str(path))
    except OSError as error:
        raise ImportError(
            f"[samebits] {path}: expected a library built for torch {torch.__version__}, got {error}; run make build"
        ) from error
    return torch.classes.samebits


def _list(tensors: Tensors) -> list[torch.Tensor]:
    return [tensors] if isinstance(tensors, torch.Tensor) else list(tensors)


def _one_or_all(results: list[torch.Tensor]):
    return results[0] if len(results) == 1 else tuple(results)


class Verification(NamedTuple):
    """What verify() found. `differing` counts logits whose bits differ from the training forward's, `differing_float` those
    that an ONNX engine computes its own way."""

    text: str
    images: int
    logits: int
    differing: int
    differing_float: int

    def __str__(self) -> str:
        return self.text


class QuantizedModel:
    """A trained model as codes, scales and a graph: what convert() gives. Of its own; the trained model may go on."""

    def __init__(self, quantized) -> None:
        self._quantized = quantized

    def save(self, path: str | os.PathLike) -> None:
        """Writes the package, the folder NAME.samebits. Whole or not at all."""
        self._quantized.save(os.fspath(path))

    def export(self, path: str | os.PathLike, format: str) -> None:
        """Writes another file: onnx, onnx_qdq, onnx_tensorrt, safetensors, compressed_tensors, gguf, npz or c_header.
        RuntimeError that names the layer where the format cannot hold it."""
        self._quantized.export_to(os.fspath(path), format)


class Model(torch.nn.Module):
    """A model as a graph that trains: what capture() and prepare() give.

    An nn.Module: parameters() and state_dict() have the names of the captured module, train() and eval() are followed by
    dropout, batch norms and quantizers, and gradients are torch's. forward() takes the inputs flat, in their order, and
    gives one tensor, or a tuple of them.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        """The graph in an archive of torch.export.save()."""
        super().__init__()
        self._graph = _classes().Model(os.fspath(path))
        self._adopt_tensors()
        self.train()

    def _adopt_tensors(self) -> None:
        """Registers the tensors of the C++ model, and not copies, under their names."""
        for name in list(self._modules):
            del self._modules[name]
        for name in [*self._parameters, *self._buffers]:
            delattr(self, name)
        for is_parameter, tensors in ((True, self._graph.parameters()), (False, self._graph.buffers())):
            for path, tensor in dict(tensors).items():
                owner, _, name = path.rpartition(".")
                module = self._scope(owner)
                if is_parameter:
                    tensor._is_param = True  # what torch.nn.Parameter is to isinstance()
                    module.register_parameter(name, tensor)
                else:
                    module.register_buffer(name, tensor)

    def _scope(self, path: str) -> torch.nn.Module:
        module: torch.nn.Module = self
        for name in filter(None, path.split(".")):
            if name not in module._modules:
                module.add_module(name, torch.nn.Module())
            module = module._modules[name]
        return module

    def forward(self, *inputs: torch.Tensor):
        return _one_or_all(self._graph.forward(list(inputs)))

    def train(self, mode: bool = True) -> Model:
        super().train(mode)
        if hasattr(self, "_graph"):
            self._graph.train(mode)
        return self

    def to(self, device: str | torch.device) -> Model:  # type: ignore[override]
        """Moves parameters, buffers and the constants of the graph, in place."""
        self._graph.to(str(torch.device(device)))
        return self

    def copy_to(self, module: torch.nn.Module) -> None:
        """Gives the parameters and buffers of the captured module, or one like it, the values of this model's."""
        own = dict(self.named_parameters()) | dict(self.named_buffers())
        with torch.no_grad():
            for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
                if name not in own:
                    raise RuntimeError(f"[samebits] {name}: expected a tensor of the captured module, got another's")
                tensor.copy_(own[name])

    def report(self) -> str:
        """A table: layer, kind, weight, input, converted or skipped (why); then what cannot ship."""
        return self._graph.report()

    @property
    def state(self) -> str:
        """Of the layer that is furthest behind: "float", "observing", "quantizing" or "frozen"."""
        return self._graph.state()

    def observe(self) -> None:
        """Layers compute in float and record the ranges of their inputs. From here on they go on by themselves."""
        self._graph.set_state("observing")

    def quantize(self) -> None:
        """Layers compute on integers, and training forwards still move the ranges."""
        self._graph.set_state("quantizing")

    def freeze(self) -> None:
        """Grids stay as they are: what is trained from here on is what ships."""
        self._graph.set_state("frozen")

    def freeze_bn(self, frozen: bool = True) -> None:
        """Batch norms of layers keep their statistics in training too."""
        self._graph.freeze_bn(frozen)


class Package:
    """A file that holds a whole model, run by the runtime with the bits of the training forward, without autograd."""

    def __init__(self, path: str | os.PathLike) -> None:
        self._package = _classes().Package(os.fspath(path))

    def __call__(self, *inputs: torch.Tensor):
        """One tensor, or a tuple of them. RuntimeError on a shape that is not the model's, and on a NaN."""
        return _one_or_all(self._package.run(list(inputs)))

    @property
    def input_names(self) -> list[str]:
        return self._package.input_names()

    @property
    def output_names(self) -> list[str]:
        return self._package.output_names()


def _batch_of(examples: list[torch.Tensor]) -> list:
    """Dimension 0 of every input that has the size of the first one's, as torch.export wants it said."""
    if any(x.ndim == 0 for x in examples):
        return [None] * len(examples)
    size = len(examples[0])
    if size < 2:
        raise ValueError(f"[samebits] example: expected a batch of at least 2, got {size}: torch.export fixes sizes of 1")
    batch = torch.export.Dim("batch")
    return [{0: batch} if len(x) == size else None for x in examples]


def capture(module: torch.nn.Module, example: Tensors, dynamic_shapes: Sequence | None = None) -> Model:
    """The graph of a module, by torch.export in train mode. Trains in float, and computes what the module computes.

    example: the inputs, tensors alone; a batch of at least 2. dynamic_shapes: torch.export's, one an input; None: dimension
    0 of all inputs that agree in it is the batch. Weights are copied: Model.copy_to() gives them back.
    """
    examples = _list(example)
    shapes = _batch_of(examples) if dynamic_shapes is None else list(dynamic_shapes)
    was_training = module.training
    try:
        program = torch.export.export(module.train(), tuple(examples), dynamic_shapes=tuple(shapes))
    finally:
        module.train(was_training)
    with tempfile.TemporaryDirectory(prefix="samebits-") as folder:
        path = Path(folder) / "model.pt2"
        torch.export.save(program, path)
        return Model(path)


def _own_schemes(module: torch.nn.Module) -> list[str]:
    """The schemes of layers that have one (samebits.nn), as assignments to the configuration."""
    named = [(path, getattr(layer, "scheme", None)) for path, layer in module.named_modules()]
    return [f'layers."{path}"={json.dumps(scheme)}' for path, scheme in named if scheme]


def prepare(
    module: torch.nn.Module,
    config: str | Mapping,
    example: Tensors,
    *,
    observe_steps: int = 200,
    strict: bool = True,
    dynamic_shapes: Sequence | None = None,
) -> Model:
    """A model that observes for `observe_steps` training forwards and then trains on integers.

    module: an nn.Module, which is captured, or a Model, which is prepared in place. config: the preset "int8" or "w4a8", or
    a map with the keys of docs/reference/configuration.md's `qat` (weight, activation, backward, skip, layers).
    strict: RuntimeError that lists every operator which could not ship, before any training.
    """
    model = module if isinstance(module, Model) else capture(module, example, dynamic_shapes)
    text = config if isinstance(config, str) else json.dumps(config)
    model._graph.prepare(text, _own_schemes(module), _list(example), observe_steps, strict)
    model._adopt_tensors()
    model.train(model.training)
    return model


def convert(model: Model, example: Tensors, name: str = "model") -> QuantizedModel:
    """What ships, run beside the model and compared bit for bit before it is given out. RuntimeError that names the layer or
    the operator which cannot be."""
    return QuantizedModel(model._graph.convert(_list(example), name))


def save(model: Model, path: str | os.PathLike, example: Tensors) -> None:
    """convert() and QuantizedModel.save(), under the name of the folder."""
    convert(model, example, Path(path).stem).save(path)


def load(path: str | os.PathLike) -> Package:
    """A package, or another file that holds the whole model (safetensors, compressed_tensors, gguf, npz)."""
    return Package(path)


def verify(model: Model, path: str | os.PathLike, batches: Iterable[Tensors]) -> Verification:
    """Replays batches through a file, ONNX files by onnxruntime, and compares with the training forward bit for bit. ONNX
    files run in a process of $SAMEBITS_PYTHON, which is set to this Python where it is not."""
    os.environ.setdefault("SAMEBITS_PYTHON", sys.executable)
    each = [_list(batch) for batch in batches]
    flat = [x for batch in each for x in batch]
    return Verification(*model._graph.verify(os.fspath(path), flat, len(each[0]) if each else 1))
