"""tools/accuracy.py: a whole round on a small data set, and what becomes of its figures."""

import json
import sys

import accuracy
import pytest
import tables
from cli_runs import STEPS, TRAIN


@pytest.fixture
def small(monkeypatch, data):
    """The program's experiments on a small data set, with two estimators."""
    text = (
        f"data: {{idx: {data}, batch_size: {TRAIN // STEPS}}}\nmodel: {{name: cnn, channels: [4, 16], hidden: 32}}\n"
        "train: {optimizer: {lr: 5e-3}}\nqat: {observe_steps: 10}\nthreads: 1\n"
    )
    monkeypatch.setattr(accuracy, "MODELS", {"cnn": text})
    monkeypatch.setattr(accuracy, "ESTIMATORS", ("ste", "lsq"))
    monkeypatch.setattr(accuracy, "BITS", (4,))


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["accuracy.py", *map(str, arguments)])
    return accuracy.main()


def test_a_round_gives_a_row_for_float_for_ptq_and_for_each_estimator(small, monkeypatch, program, tmp_path):
    assert run(monkeypatch, program("samebits"), tmp_path, "--seeds", 2) == 0
    rows = tables.read_rows(tmp_path / "methods.json")
    assert [(row["case"], row["variant"]) for row in rows] == [
        ("cnn", "float, as long"),
        ("cnn, W4A4", "PTQ, best range, GPTQ"),
        ("cnn, W4A4", "QAT, ste"),
        ("cnn, W4A4", "QAT, lsq"),
    ]
    assert all(0 <= row["value"] <= 100 for row in rows)
    assert [row["columns"]["logits that differ"] for row in rows] == ["", "", "0 of 2,000", "0 of 2,000"]
    runs = tmp_path / "runs"
    for estimator in ("ste", "lsq"):
        text = (runs / f"cnn_seed1_w4a4_{estimator}/config.resolved.yaml").read_text()
        assert f"estimator: {estimator}" in text
        assert text.count("bits: 4") == 2


def test_rows_are_means_over_seeds_against_the_float_model():
    float_row, scheme = ("float", "float, as long"), ("W3A3", "QAT, lsq")
    by_seed = [{float_row: (91.0, 0, 0), scheme: (90.0, 0, 10)}, {float_row: (92.0, 0, 0), scheme: (90.5, 1, 10)}]
    rows = accuracy.rows_of("cnn", by_seed, "a machine")
    assert rows[1]["value"] == 90.25
    assert rows[1]["columns"] == {
        "least to greatest": "90.00 to 90.50 % of 2 seeds",
        "against float": "-1.25",
        "logits that differ": "1 of 20",
    }
    assert json.dumps(rows)


def test_a_run_that_fails_is_named(small, monkeypatch, program, tmp_path, capsys):
    assert run(monkeypatch, program("samebits"), tmp_path, "--seeds", 1, "--set", "data.idx=nowhere") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: [accuracy] samebits train ")
    assert "expected exit code 0, got 2" in error
