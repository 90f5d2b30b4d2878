"""samebits benchmark: a row for each form of each run, whose sizes and scores are those of the run's own files."""

import json

import pytest
from cli_runs import MLP, Run, config_text, error_of


@pytest.fixture(scope="module")
def runs(shared_samebits, data):
    net = shared_samebits.train(config_text(data))
    shared_samebits.train(config_text(data, name="small", model=MLP))
    return [net, Run(shared_samebits.folder / "runs/small/latest")]


@pytest.fixture(scope="module")
def measured(shared_samebits, runs):
    result = shared_samebits("benchmark", *(run.path for run in runs), "--batch", 8, "--calls", 7, "--json", "b.json")
    assert result.returncode == 0, result.stderr
    return result.stdout, json.loads((shared_samebits.folder / "b.json").read_text())


def test_each_run_has_its_forms_in_order(measured):
    output, figures = measured
    forms = [(row["run"], row["form"]) for row in figures["rows"]]
    assert forms == [(run, form) for run in ("net", "small") for form in ("float", "integers", "package")]
    lines = output.splitlines()[1:]
    assert [tuple(line.split()[:2]) for line in lines] == forms
    assert (figures["batch"], figures["calls"], figures["threads"]) == (8, 7, 1)


def test_scores_are_those_of_the_status_file(measured, runs):
    for run, rows in zip(runs, (measured[1]["rows"][:3], measured[1]["rows"][3:])):
        accuracy = run.status()["accuracy"]
        assert [row["accuracy"] for row in rows[1:]] == pytest.approx([accuracy["qat"], accuracy["exported"]])
        assert rows[1]["loss"] == rows[2]["loss"]


def test_file_bytes_are_those_of_the_package(measured, runs):
    for run, row in zip(runs, measured[1]["rows"][2::3]):
        files = [path for path in (run.path / "export/model.samebits").rglob("*") if path.is_file()]
        assert row["file_bytes"] == sum(path.stat().st_size for path in files)
        assert row["values_bytes"] > 0


def test_times_are_in_order(measured):
    for row in measured[1]["rows"]:
        assert 0 < row["ms"]["10"] <= row["ms"]["median"] <= row["ms"]["90"]


def test_benchmark_refuses_more_examples_than_there_are(samebits, runs):
    assert error_of(samebits("benchmark", runs[0].path, "--batch", 101), 2) == (
        "error: [benchmark] --batch: expected at most the 100 test examples, got 101\n"
    )


def test_help_shows_an_example(samebits):
    result = samebits("benchmark", "--help")
    assert result.returncode == 0
    assert "Example: samebits benchmark runs/" in result.stdout
