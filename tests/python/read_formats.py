"""What other people's packages make of an exported file, as floats in a safetensors file. A program, since their
packages are not in .venv (format_packages.py):

    read_formats.py FILE.gguf OUT.safetensors      by gguf: its reader, its dequantization
    read_formats.py FOLDER OUT.safetensors         by compressed_tensors: config.json, its compressors
"""

import json
import sys
from pathlib import Path

import numpy
from safetensors.numpy import save_file


def read_gguf(path: Path) -> dict[str, numpy.ndarray]:
    from gguf import GGUFReader, dequantize

    # Sizes in a file begin with that of neighbours; numpy's end with it.
    return {
        tensor.name: dequantize(tensor.data, tensor.tensor_type).reshape(tuple(int(n) for n in reversed(tensor.shape)))
        for tensor in GGUFReader(path).tensors
    }


def read_compressed(folder: Path) -> dict[str, numpy.ndarray]:
    import torch
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.quantization import QuantizationConfig
    from safetensors.torch import load_file

    tensors = load_file(folder / "model.safetensors")
    config = QuantizationConfig(**json.loads((folder / "config.json").read_text())["quantization_config"])
    result = {}
    for scheme in config.config_groups.values():
        for layer in scheme.targets:
            state = {name.removeprefix(layer + "."): tensors.pop(name) for name in list(tensors) if name.startswith(layer + ".")}
            compressor = BaseCompressor.get_value_from_registry(scheme.format)
            own = set(compressor.compression_param_names(scheme))
            assert own <= state.keys(), f"{layer}: {own - state.keys()} missing"
            weight = compressor.decompress({name: state[name] for name in own}, scheme)["weight"]
            assert weight.dtype == torch.float32
            result[layer + ".weight"] = weight.contiguous().numpy()
            grid = scheme.input_activations
            assert (grid.strategy, grid.dynamic, grid.symmetric) == ("tensor", False, "input_zero_point" not in state)
            result |= {f"{layer}.{name}": state[name].numpy() for name in state if name == "bias" or name.startswith("input")}
    assert {name.rsplit(".", 1)[0] for name in tensors} == set(config.ignore)
    return result | {name: tensor.numpy() for name, tensor in tensors.items()}


if __name__ == "__main__":
    source = Path(sys.argv[1])
    save_file(read_compressed(source) if source.is_dir() else read_gguf(source), sys.argv[2])
