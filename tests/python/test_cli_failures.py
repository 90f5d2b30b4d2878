"""What stops a run on its way: a NaN, a full disk, a folder that cannot be written, a checkpoint that does not fit."""

import fcntl
import os
import re
import resource
import shutil
import signal
import subprocess

import pytest
from cli_runs import Run, config_text, error_of

EPOCHS, STEPS = 6, 20


def experiment(data, checkpoint_every=0):
    text = config_text(data, top=f"threads: 1\ncheckpoint_every: {checkpoint_every}\nexport: [package]")
    return text.replace("epochs: 2", f"epochs: {EPOCHS}").replace("observe_steps: 10", "observe_steps: 30")


@pytest.fixture(scope="module")
def uninterrupted(shared_samebits, data):
    return shared_samebits.train(experiment(data))


def at_step(step):
    return lambda run: run.metrics()[-1]["step"] >= step


def interrupted_at(samebits, data, step):
    run, process = samebits.train_until(experiment(data), at_step(step), signal.SIGINT)
    assert process.returncode == 130
    return run


def test_a_nan_at_the_first_steps_names_layer_and_step(samebits, data):
    config = samebits.write_config(experiment(data))
    error = error_of(samebits("train", config, "--set", "train.optimizer.lr=1e30"), 1)
    text = (
        "[train] step 2: expected finite numbers, got NaN or infinity first in the output of conv2; lower the learning "
        "rate or look at the data; no checkpoint was written before"
    )
    assert error == f"error: {text}\n"
    run = samebits.newest_run()
    assert run.status() == {"state": "failed", "error": text}
    assert not run.checkpoint().exists()


def set_lr(run, section, lr):
    """Another learning rate in the configuration of a run; returns the text that stood there."""
    path = run.path / "config.resolved.yaml"
    text = path.read_text()
    before, after = text.split(f"\n{section}:\n")
    path.write_text(f"{before}\n{section}:\n" + re.sub(r"lr: \S+", f"lr: {lr}", after, count=1))
    return text


def check_nan_keeps_checkpoint(samebits, run, section, expected):
    """Goes on with a learning rate that breaks the run, and then with the right one."""
    checkpoint = run.checkpoint().read_bytes()
    good = set_lr(run, section, "1e30")
    error = error_of(samebits("train", "--resume", run.path), 1)
    assert re.sub(r"step \d+", "step N", error) == (
        f"error: [train] step N: {expected}; the last good checkpoint is {run.checkpoint()}\n"
    )
    assert run.status() == {"state": "failed", "error": error.removeprefix("error: ").rstrip("\n")}
    assert run.checkpoint().read_bytes() == checkpoint
    (run.path / "config.resolved.yaml").write_text(good)
    samebits.resume(run)


def test_a_nan_in_float_keeps_the_last_checkpoint(samebits, data, uninterrupted):
    run = interrupted_at(samebits, data, 30)
    check_nan_keeps_checkpoint(
        samebits, run, "train",
        "expected finite numbers, got NaN or infinity first in the output of conv2; lower the learning rate or look at "
        "the data",
    )  # fmt: skip
    assert run.results() == uninterrupted.results()


def test_a_nan_on_integers_keeps_the_last_checkpoint(samebits, data):
    text = config_text(data, train=", schedule: {name: constant}", qat=", freeze_at: 1")
    short, whole = text, text.replace("qat: {epochs: 2", "qat: {epochs: 4")
    expected = samebits.train(whole, "--set", "export=[package]").results()
    run = samebits.train(short, "--set", "export=[package]")
    config = run.path / "config.resolved.yaml"
    before, qat = config.read_text().split("\nqat:\n")
    config.write_text(f"{before}\nqat:\n" + qat.replace("epochs: 2", "epochs: 4"))
    check_nan_keeps_checkpoint(
        samebits, run, "qat",
        "[qat] fc1: expected numbers at the input, got NaN; look at the batch, the layer before and the learning rate",
    )  # fmt: skip
    assert run.results() == expected


def test_a_checkpoint_with_a_weight_that_is_not_finite_is_never_written(samebits, data):
    # One step an epoch: its loss is still finite, the weights after it are not.
    config = samebits.write_config(experiment(data))
    values = ["data.batch_size=400", "qat.observe_steps=1", "train.optimizer={name: sgd, lr: 3e38, weight_decay: 1e10}"]
    assert error_of(samebits("train", config, *(f"--set={value}" for value in values)), 1) == (
        "error: [train] step 1: expected finite numbers, got NaN or infinity in conv1.weight; lower the learning rate; "
        "no checkpoint was written before\n"
    )
    assert list((samebits.newest_run().path / "checkpoints").iterdir()) == []


@pytest.mark.parametrize(
    "output, cause", [("net.yaml/runs", "Not a directory"), ("/proc/runs", "No such file or directory")]
)
def test_a_folder_that_cannot_be_made(samebits, data, output, cause):
    config = samebits.write_config(experiment(data))
    assert error_of(samebits("train", config, "--set", f"output={output}"), 3) == (
        f"error: [run] {output}/net: cannot make the folder: {cause}; choose another folder with --set output=DIR\n"
    )


def limit_file_size():
    """Files may grow to 20,000 bytes: enough for all but checkpoints. Writing beyond fails, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(samebits, data, uninterrupted):
    run = interrupted_at(samebits, data, 30)
    checkpoint = run.checkpoint().read_bytes()
    assert len(checkpoint) > 20_000
    result = samebits("train", "--resume", run.path, preexec_fn=limit_file_size)
    text = f"[write] {run.checkpoint()}: File too large"
    assert error_of(result, 3) == f"error: {text}\n"
    assert run.status() == {"state": "failed", "error": text}
    assert [file.name for file in run.checkpoint().parent.iterdir()] == ["last.safetensors"]
    assert run.checkpoint().read_bytes() == checkpoint
    samebits.resume(run)
    assert run.results() == uninterrupted.results()


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"mounting a small file system is not permitted: {getattr(error, 'stderr', error)}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path, left):
    """Writes zeros until the disk is full, then gives `left` bytes back."""
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
        file.truncate(file.tell() - left)


def test_a_full_disk_leaves_the_last_checkpoint(samebits, data, uninterrupted, small_disk):
    os.symlink(small_disk, samebits.folder / "runs")
    run = interrupted_at(samebits, data, 30)
    checkpoint = run.checkpoint().read_bytes()
    fill(small_disk / "filler", left=len(checkpoint) // 2)
    text = f"[write] {run.checkpoint()}: No space left on device"
    assert error_of(samebits("train", "--resume", run.path), 3) == f"error: {text}\n"
    assert run.checkpoint().read_bytes() == checkpoint
    (small_disk / "filler").unlink()
    samebits.resume(run)
    assert run.results() == uninterrupted.results()


def test_an_observing_run_cannot_be_exported(samebits, data):
    run = interrupted_at(samebits, data, EPOCHS * STEPS + 10)
    assert error_of(samebits("export", run.path), 2) == (
        "error: [export] conv1: expected state quantizing or frozen, got observing; "
        "train past qat.observe_steps or call freeze()\n"
    )


@pytest.mark.parametrize("command", [["train", "--resume"], ["eval"], ["export"], ["verify"]])
def test_a_folder_that_is_no_run(samebits, command):
    assert error_of(samebits(*command, "."), 2) == (
        "error: [run] .: expected the folder of a run, got one without config.resolved.yaml; look in runs/\n"
    )


@pytest.fixture
def run(uninterrupted, tmp_path):
    shutil.copytree(uninterrupted.path, tmp_path / "run")
    return Run(tmp_path / "run")


@pytest.mark.parametrize("command, name", [(["eval"], "final"), (["train", "--resume"], "last")])
def test_a_checkpoint_of_another_model(samebits, run, command, name):
    run.replace_in_config("hidden: [32]", "hidden: [48]")
    assert error_of(samebits(*command, run.path), 2) == (
        f"error: [checkpoint] {run.checkpoint(name)}: model.fc1.bias: expected Float [48], got Float [32]; "
        "is it of another model?\n"
    )


def test_a_checkpoint_of_another_optimizer(samebits, run):
    good = (run.path / "config.resolved.yaml").read_text()
    qat = good.index("\nqat:")
    lines = [line for line in good[qat:].splitlines() if "beta" not in line]
    (run.path / "config.resolved.yaml").write_text(good[:qat] + "\n".join(lines).replace("adamw", "sgd") + "\n")
    assert error_of(samebits("train", "--resume", run.path), 2) == (
        f"error: [checkpoint] {run.checkpoint()}: optimizer.conv1.weight.momentum_buffer: expected Float [4, 1, 3, 3], "
        "got none; is it of another configuration?\n"
    )


def test_a_truncated_checkpoint(samebits, run):
    path = run.checkpoint("final")
    path.write_bytes(path.read_bytes()[:-1])
    error = error_of(samebits("eval", run.path), 2)
    assert error.startswith(f"error: [safetensors] {path}: expected "), error


def test_a_checkpoint_keeps_its_scheme(samebits, run):
    path = run.path / "config.resolved.yaml"
    text = path.read_text()
    assert text.count("weight: {bits: 8") == 1
    path.write_text(text.replace("weight: {bits: 8", "weight: {bits: 4"))
    for command, name in ([["eval"], "final"], [["export"], "final"], [["train", "--resume"], "last"]):
        assert error_of(samebits(*command, run.path), 2) == (
            f"error: [checkpoint] {run.checkpoint(name)}: conv1: expected the scheme of the configuration, int4 per "
            "channel, input int8 affine, got int8 per channel, input int8 affine; a trained model keeps its scheme: "
            "restore the configuration\n"
        )


def test_a_flipped_bit_of_a_checkpoint_is_noticed(samebits, run):
    path = run.checkpoint("final")
    good = path.read_bytes()
    path.write_bytes(good[:-100] + bytes([good[-100] ^ 1]) + good[-99:])
    error = error_of(samebits("eval", run.path), 2)
    assert re.fullmatch(
        rf"error: \[checkpoint\] {re.escape(str(path))}: expected contents of crc32c [0-9a-f]{{8}}, got [0-9a-f]{{8}}; "
        r"the file is damaged, take another checkpoint\n",
        error,
    ), error


def test_a_checkpoint_beyond_the_end_of_the_configuration(samebits, run):
    run.replace_in_config("qat:\n  epochs: 6", "qat:\n  epochs: 3")
    assert error_of(samebits("train", "--resume", run.path), 2) == (
        f"error: [checkpoint] {run.checkpoint()}: metadata position: expected at most epoch 3 of 20 steps, got epoch 6, "
        "step 0; is it of another configuration?\n"
    )


def test_a_damaged_line_of_metrics_is_named(samebits, run):
    path = run.path / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], '{"kind": "step", "step": "three"}\n', *lines[2:]]))
    assert error_of(samebits("train", "--resume", run.path), 2) == (
        f'error: [run] {path}:3: expected a record with kind, step and phase, got {{"kind": "step", "step": "three"}}; '
        "remove the line or start a new run\n"
    )


@pytest.mark.parametrize("name", ["metrics.jsonl", "status.json"])
def test_a_pipe_in_the_place_of_a_file_of_the_run_is_not_waited_for(samebits, run, name):
    path = run.path / name
    path.unlink()
    os.mkfifo(path)
    result = samebits("train", "--resume", run.path)
    if name == "metrics.jsonl":
        assert error_of(result, 2) == f"error: [run] {path}: expected a regular file, got a pipe\n"
    else:  # written anew
        assert result.returncode == 0, result.stderr
        assert run.status()["state"] == "done"


def test_only_one_process_writes_into_a_run(samebits, run):
    folder = os.open(run.path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        for command in (["train", "--resume"], ["export"]):
            assert error_of(samebits(*command, run.path), 2) == (
                f"error: [run] {run.path}: expected a run that no other process writes to, got one in use; wait until "
                "that ends\n"
            )
        assert samebits("eval", run.path).returncode == 0  # which only reads
    finally:
        os.close(folder)
    assert samebits("export", run.path).returncode == 0


def test_two_trainings_do_not_go_on_with_one_run(samebits, data):
    run = interrupted_at(samebits, data, 30)
    command = [samebits.program, "train", "--resume", run.path]
    both = [
        subprocess.Popen(command, env=samebits.environment({}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert sorted(process.wait(timeout=120) for process in both) == [0, 2]
    steps = [record["step"] for record in run.metrics() if record["kind"] == "step"]
    assert len(steps) == len(set(steps))


def test_what_a_killed_run_left_half_written_goes_at_the_next_start(samebits, run):
    folders = [run.path, run.path / "checkpoints", run.path / "export"]
    for folder in folders:
        (folder / ".samebits-1234abcd-5678").write_bytes(bytes(1000))
        (folder / ".samebits-99-99").mkdir()
        (folder / ".samebits-99-99" / "graph.json").write_text("{")
    assert samebits("export", run.path).returncode == 0
    assert [file for folder in folders for file in folder.iterdir() if file.name.startswith(".")] == []


def limit_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30))


def test_memory_that_runs_out_is_what_the_machine_lacks(samebits, data):
    config = samebits.write_config(experiment(data))
    result = samebits(
        "train", config, "--set", "model={name: mlp, hidden: [65536, 65536]}", preexec_fn=limit_memory
    )
    assert error_of(result, 3).startswith("error: [samebits] memory: expected more than this machine gives, got: ")
