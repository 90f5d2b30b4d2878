"""Estimators and observers of a run: each trains, ships the same bits and goes on after a kill; wrong names are told."""

import re
import signal

import pytest
from cli_runs import STEPS, config_text, error_of
from conftest import ROOT

ESTIMATORS = ("ste", "lsq", "lsq_plus", "pact", "dorefa", "ewgs")
OBSERVERS = ("min_max", "percentile", "mse", "kl")
EPOCHS, OBSERVE = 4, 30


def four_bits(data, estimator="ste", observer="moving_average", **texts):
    qat = f", estimator: {estimator}, weight: {{bits: 4}}, activation: {{bits: 4, observer: {observer}}}"
    return config_text(data, qat=qat, **texts)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_each_estimator_trains_and_ships_the_same_bits(samebits, data, estimator):
    run = samebits.train(four_bits(data, estimator))
    status = run.status()
    assert status["verify"]["differing"] == {"package": 0, "onnx": 0}
    assert status["accuracy"]["exported"] == status["accuracy"]["qat"]


@pytest.mark.parametrize("observer", OBSERVERS)
def test_each_observer_trains_and_ships_the_same_bits(samebits, data, observer):
    run = samebits.train(four_bits(data, "lsq", observer))
    assert run.status()["verify"]["differing"] == {"package": 0, "onnx": 0}


def test_a_run_of_a_captured_model_trains_its_scales(samebits, data):
    run = samebits.train(four_bits(data, "lsq_plus", model="{name: resnet20, width: 8, depth: 1}"))
    assert run.status()["verify"]["differing"] == {"package": 0, "onnx": 0}


def experiment(data):
    return (
        four_bits(data, "lsq_plus", "kl", top="threads: 1\ncheckpoint_every: 3\nexport: [package]")
        .replace("epochs: 2", f"epochs: {EPOCHS}")
        .replace("observe_steps: 10", f"observe_steps: {OBSERVE}, freeze_at: 0.6, scale_lr: 0.5")
    )


@pytest.fixture(scope="module")
def uninterrupted(shared_samebits, data):
    return shared_samebits.train(experiment(data))


MOMENTS = {
    "observing": EPOCHS * STEPS + 10,
    "quantizing": EPOCHS * STEPS + OBSERVE + 4,
    "frozen": 2 * EPOCHS * STEPS - 25,
}


@pytest.mark.parametrize("phase", MOMENTS)
def test_a_killed_run_with_trained_scales_goes_on_to_the_same_bytes(samebits, data, uninterrupted, phase):
    def is_reached(run):
        last = run.metrics()[-1]
        return last["step"] >= MOMENTS[phase] and last.get("phase") == phase and run.checkpoint().exists()

    run, process = samebits.train_until(experiment(data), is_reached)
    assert process.returncode == -signal.SIGKILL
    samebits.resume(run)
    assert run.results() == uninterrupted.results()
    assert run.status() == uninterrupted.status()


def test_a_run_is_not_resumed_with_another_estimator(samebits, data, tmp_path):
    run, _ = samebits.train_until(experiment(data), lambda run: run.metrics()[-1].get("phase") == "quantizing")
    run.replace_in_config("estimator: lsq_plus", "estimator: ste")
    text = error_of(samebits("train", "--resume", run.path), 2)
    assert "expected no tensor of that name" in text


def test_an_unknown_estimator_gives_the_list_and_the_nearest(samebits, data):
    name = samebits.write_config(four_bits(data, "lsq_pls"))
    text = error_of(samebits("train", name), 2)
    assert text.startswith(
        'error: [config] net.yaml:6: qat.estimator: expected ste, lsq, lsq_plus, pact, dorefa or ewgs, got "lsq_pls"; '
        'did you mean "lsq_plus"?\n'
    )


def test_the_experiment_of_the_guide_loads(samebits, data):
    """docs/guides/methods.md: its YAML in the place of the qat map of a small experiment."""
    text = (ROOT / "docs/guides/methods.md").read_text()
    qat = re.search(r"```yaml\nqat:\n(.*?)```", text, re.S)[1]
    config = config_text(data).split("qat:")[0] + "qat:\n  epochs: 2\n  observe_steps: 10\n" + qat
    run = samebits.train(config)
    assert run.status()["verify"]["differing"] == {"package": 0, "onnx": 0}
