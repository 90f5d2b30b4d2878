"""A run that is killed or interrupted goes on to the bytes of one that was not."""

import shutil
import signal
import subprocess
import time

import pytest
from cli_runs import STEPS, Run, config_text, error_of

EPOCHS = 6  # in float, and again on integers: long enough to be hit
OBSERVE = 30


def experiment(data, checkpoint_every=3):
    return (
        config_text(data, top=f"threads: 1\ncheckpoint_every: {checkpoint_every}\nexport: [package]")
        .replace("epochs: 2", f"epochs: {EPOCHS}")
        .replace("observe_steps: 10", f"observe_steps: {OBSERVE}, freeze_at: 0.5")
    )


def without_times(metrics):
    return [{key: value for key, value in record.items() if key not in ("seconds", "step_ms")} for record in metrics]


@pytest.fixture(scope="module")
def uninterrupted(shared_samebits, data):
    return shared_samebits.train(experiment(data))


def check_equal(run, uninterrupted):
    assert run.results() == uninterrupted.results()
    assert without_times(run.metrics()) == without_times(uninterrupted.metrics())
    assert run.status() == uninterrupted.status()


def at_step(step, phase):
    def is_reached(run):
        last = run.metrics()[-1]
        return last["step"] >= step and last.get("phase") == phase and run.checkpoint().exists()

    return is_reached


MOMENTS = {
    "float": at_step(30, "fp32"),
    "observing": at_step(EPOCHS * STEPS + 10, "observing"),
    "quantizing": at_step(EPOCHS * STEPS + OBSERVE + 10, "quantizing"),
    "frozen": at_step(2 * EPOCHS * STEPS - 50, "frozen"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_goes_on_to_the_same_bytes(samebits, data, uninterrupted, moment):
    run, process = samebits.train_until(experiment(data), MOMENTS[moment])
    assert process.returncode == -signal.SIGKILL
    assert run.status() == {"state": "running"}
    assert not run.checkpoint("final").exists()
    samebits.resume(run)
    check_equal(run, uninterrupted)


def test_a_run_that_is_killed_again_and_again_comes_to_the_same_end(samebits, data, uninterrupted):
    run, _ = samebits.train_until(experiment(data), MOMENTS["float"])
    for delay in (0.35, 0.45, 0.55):
        process = subprocess.Popen(
            [samebits.program, "train", "--resume", run.path],
            env=samebits.environment({}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(delay)
        process.kill()
        process.wait()
    samebits.resume(run)
    check_equal(run, uninterrupted)


def test_a_run_killed_before_its_first_checkpoint_starts_anew(samebits, uninterrupted, tmp_path):
    shutil.copytree(uninterrupted.path, tmp_path / "run")
    run = Run(tmp_path / "run")
    for name in ("checkpoints", "export"):
        shutil.rmtree(run.path / name)
        (run.path / name).mkdir()
    first = (run.path / "metrics.jsonl").read_text().splitlines(keepends=True)[0]
    (run.path / "metrics.jsonl").write_text(first)
    samebits.resume(run)
    check_equal(run, uninterrupted)


def test_a_run_killed_between_float_and_qat_measures_ptq_once(samebits, uninterrupted, tmp_path):
    shutil.copytree(uninterrupted.path, tmp_path / "run")
    run = Run(tmp_path / "run")
    shutil.copy(run.checkpoint("fp32"), run.checkpoint("last"))
    run.checkpoint("final").unlink()
    lines = (run.path / "metrics.jsonl").read_text().splitlines(keepends=True)
    ptq = next(i for i, record in enumerate(run.metrics()) if record["kind"] == "ptq")
    (run.path / "metrics.jsonl").write_text("".join(lines[: ptq + 1]) + '{"kind":"step","st')  # half a line
    samebits.resume(run)
    check_equal(run, uninterrupted)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["float", "quantizing"])
def test_an_interrupted_run_ends_after_the_step_and_says_how_to_go_on(samebits, data, uninterrupted, moment, stop):
    run, process = samebits.train_until(experiment(data, checkpoint_every=0), MOMENTS[moment], stop)
    assert process.returncode == 130
    path = run.path.relative_to(samebits.folder)
    assert process.stdout_text == f"interrupted; go on with: samebits train --resume {path}\n"
    assert run.status() == {"state": "interrupted"}
    assert samebits("train", "--resume", path).returncode == 0
    check_equal(run, uninterrupted)


def test_resuming_a_finished_run_changes_nothing(samebits, uninterrupted, tmp_path):
    shutil.copytree(uninterrupted.path, tmp_path / "run")
    run = Run(tmp_path / "run")
    samebits.resume(run)
    check_equal(run, uninterrupted)


def test_what_cannot_be_exported_yet_says_so(samebits, data):
    run, _ = samebits.train_until(experiment(data), MOMENTS["float"])
    assert error_of(samebits("export", run.path), 2) == (
        f"error: [export] {run.path}: expected a run that reached its QAT epochs, got one in its float epochs; "
        f"go on with samebits train --resume {run.path}\n"
    )
    assert error_of(samebits("verify", run.path), 2) == (
        f"error: [verify] {run.path}/export: expected model.samebits or model.onnx, got none; "
        f"run samebits export {run.path}\n"
    )
    assert samebits("eval", run.path).returncode == 0  # of the float model
