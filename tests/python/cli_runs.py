"""What the tests of the executable share: a small data set, configurations of a second, and the folders of runs."""

import gzip
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SIZE, CLASSES = 12, 10
TRAIN, TEST = 400, 100  # images
STEPS = 20  # of an epoch: batches of 20


def idx_bytes(array):
    header = struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(path, array):
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def learnable_images(count, size=SIZE):
    """One noisy pattern of 4 x 4 blocks a class: images [count, size, size] and labels [count]."""
    blocks = np.random.default_rng(7).integers(0, 2, (CLASSES, 4, 4)) * 200
    edges = np.arange(size) * 4 // size
    labels = np.arange(count) % CLASSES
    noise = np.random.default_rng(count).normal(25, 40, (count, size, size))
    return np.clip(blocks[labels][:, edges][:, :, edges] + noise, 0, 255), labels


def write_data(folder, size=SIZE, train=TRAIN, test=TEST, suffix=".gz"):
    """The four files of a data set. Labels are never gzipped, so that both kinds of file are read."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count in (("train", train), ("t10k", test)):
        images, labels = learnable_images(count, size)
        write_idx(folder / f"{prefix}-images-idx3-ubyte{suffix}", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
    return folder


CNN = "{name: cnn, channels: [4, 16], hidden: 32}"
MLP = "{name: mlp, hidden: [32, 16]}"


def config_text(root, name="net", model=CNN, data="", train="", qat="", top=""):
    """An experiment of 2 + 2 epochs; the texts are added to its maps."""
    return (
        f"name: {name}\n{top or 'threads: 1'}\n"
        f"data: {{idx: {root}, batch_size: {TRAIN // STEPS}{data}}}\n"
        f"model: {model}\n"
        f"train: {{epochs: 2, optimizer: {{lr: 5e-3}}{train}}}\n"
        f"qat: {{epochs: 2, observe_steps: 10{qat}}}\n"
    )


class Run:
    """The folder of a run."""

    def __init__(self, path):
        self.path = Path(path).resolve()

    def status(self):
        return json.loads((self.path / "status.json").read_text())

    def metrics(self):
        return [json.loads(line) for line in (self.path / "metrics.jsonl").read_text().splitlines()]

    def checkpoint(self, name="last"):
        return self.path / "checkpoints" / f"{name}.safetensors"

    def results(self):
        """The bytes of what a run is for: the trained model and its exports, by file."""
        files = [self.checkpoint("final"), *sorted((self.path / "export").rglob("*"))]
        return {str(file.relative_to(self.path)): file.read_bytes() for file in files if file.is_file()}

    def replace_in_config(self, old, new):
        path = self.path / "config.resolved.yaml"
        text = path.read_text()
        assert text.count(old) == 1, (old, text)
        path.write_text(text.replace(old, new))


class Samebits:
    """The executable, run in a folder of its own without the caller's SAMEBITS_ variables."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def environment(self, extra):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SAMEBITS_")}
        return kept | {"SAMEBITS_PYTHON": sys.executable} | extra

    def __call__(self, *arguments, preexec_fn=None, **environment):
        return subprocess.run(
            [self.program, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment(environment),
            preexec_fn=preexec_fn,
            timeout=120,
        )

    def write_config(self, text, name="net.yaml"):
        (self.folder / name).write_text(text)
        return name

    def newest_run(self, name="net"):
        return Run(self.folder / "runs" / name / "latest")

    def train(self, text, *arguments, **environment):
        """A whole run of an experiment, which must succeed."""
        result = self("train", self.write_config(text), *arguments, **environment)
        assert result.returncode == 0, result.stderr
        return self.newest_run()

    def resume(self, run):
        result = self("train", "--resume", run.path)
        assert result.returncode == 0, result.stderr

    def train_until(self, text, is_reached, stop=signal.SIGKILL):
        """Trains until is_reached(Run), then sends the signal. Returns the run and the ended process.

        Looks every half millisecond; where the machine is so busy that the run was over by then, it starts another.
        """
        config = self.write_config(text)
        for _ in range(5):
            earlier = self.newest_run().path
            process = subprocess.Popen(
                [self.program, "train", config],
                cwd=self.folder,
                env=self.environment({}),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            try:
                while process.poll() is None and not self.has_reached(is_reached, earlier):
                    time.sleep(0.0005)
                process.send_signal(stop)
                process.stdout_text = process.communicate(timeout=60)[0]
            finally:
                process.kill()
            run = self.newest_run()
            if process.returncode == 0 or run.checkpoint("final").exists():
                continue
            assert process.returncode in (-stop, 130), process.stdout_text
            return run, process
        raise AssertionError("the run was over before the signal, five times")

    def has_reached(self, is_reached, earlier):
        run = self.newest_run()
        try:
            return run.path != earlier and is_reached(run)
        except (OSError, ValueError, IndexError):  # not there yet, or half a line
            return False


def error_of(result, code):
    """What a command that fails with this exit code says on stderr, without the lines of progress before it."""
    assert result.returncode == code, result.stdout + result.stderr
    found = result.stderr.find("error: ")
    assert found >= 0, result.stderr
    return result.stderr[found:]


def run_guide(samebits, data, page):
    """The commands of a guide from its text alone, on a smaller experiment."""
    text = (Path(__file__).resolve().parents[2] / page).read_text()
    commands = re.findall(r"^samebits (.*)$", "\n".join(re.findall(r"```\n(.*?)```", text, re.S)), re.M)
    assert len(commands) >= 4
    (samebits.folder / "configs").mkdir()
    name = "fashion_mnist_cnn_int8"
    (samebits.folder / f"configs/{name}.yaml").write_text(config_text(data, name=name))
    for command in commands:
        result = samebits(*command.split())
        assert result.returncode == 0, (command, result.stderr)
