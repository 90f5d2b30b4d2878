"""What a user may give samebits train that is wrong: exit code 2, the whole text, and no run folder left behind."""

import gzip
import os
import struct

import numpy as np
import pytest
from cli_runs import MLP, TRAIN, config_text, error_of, idx_bytes, write_data, write_idx

AGAIN = "copy or install the file again"


def refused(samebits, text, *arguments):
    """The error of an experiment that cannot be trained."""
    result = samebits("train", samebits.write_config(text), *arguments)
    error = error_of(result, 2)
    assert not (samebits.folder / "runs").exists()
    assert (result.stdout, result.stderr) == ("", error)
    return error


# (why, the text that replaces "qat: {", the error with its line and caret)
CONFIGS = {
    "an unknown key": (
        "qat: {activaton: {bits: 8}, ",
        'net.yaml:6: qat.activaton: unknown key; did you mean "activation"?\n'
        "  6 | qat: {activaton: {bits: 8}, epochs: 2, observe_steps: 10}\n"
        "            ^\n",
    ),
    "a wrong type": (
        "qat: {weight: {bits: eight}, ",
        'net.yaml:6: qat.weight.bits: expected an integer in 2..8, got "eight"\n'
        "  6 | qat: {weight: {bits: eight}, epochs: 2, observe_steps: 10}\n"
        "                           ^\n",
    ),
    "bits out of range": (
        "qat: {weight: {bits: 9}, ",
        "net.yaml:6: qat.weight.bits: expected an integer in 2..8, got 9\n"
        "  6 | qat: {weight: {bits: 9}, epochs: 2, observe_steps: 10}\n"
        "                           ^\n",
    ),
    "a duplicate key": (
        "qat: {epochs: 3, ",
        "net.yaml:6: qat.epochs: duplicate key, first on line 6; keep one of them\n"
        "  6 | qat: {epochs: 3, epochs: 2, observe_steps: 10}\n"
        "                       ^\n",
    ),
}


@pytest.mark.parametrize("why", CONFIGS)
def test_a_wrong_configuration_shows_the_place(samebits, data, why):
    replacement, expected = CONFIGS[why]
    text = config_text(data).replace("qat: {", replacement)
    assert refused(samebits, text) == f"error: [config] {expected}"


# (--set …, the error behind "[config] --set …: ")
ASSIGNMENTS = {
    "model.nam=mlp": 'model.nam: unknown key; did you mean "name"?',
    "seed=-1": "seed: expected an integer >= 0, got -1",
    "qat.freeze_at": 'expected KEY.PATH=VALUE, got no "="',
}


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_wrong_assignment_names_itself(samebits, data, assignment):
    error = refused(samebits, config_text(data), "--set", assignment)
    assert error == f"error: [config] --set {assignment}: {ASSIGNMENTS[assignment]}\n"


def test_a_missing_configuration_file(samebits):
    assert error_of(samebits("train", "none.yaml"), 2) == (
        'error: [config] none.yaml: expected a readable file, got "No such file or directory"; check the path\n'
    )


def test_qat_must_be_longer_than_observing(samebits, data):
    assert refused(samebits, config_text(data), "--set", "qat.observe_steps=40") == (
        "error: [config] qat.observe_steps: expected less than the 40 steps of qat.epochs, got 40; "
        "observe less or train longer\n"
    )


def test_more_pools_than_the_image_has_pixels(samebits, data):
    assert refused(samebits, config_text(data), "--set", "model.channels=[2,2,2,2]") == (
        "error: [model] cnn: expected at most 3 channels for images of 12 x 12 pixels, got 4; each one halves them\n"
    )


def test_a_layer_whose_sums_could_overflow_is_named_before_training(samebits, tmp_path):
    large = write_data(tmp_path / "large", size=260, train=20, test=10)  # 67,600 pixels
    text = config_text(large, model="{name: mlp, hidden: 4}")
    assert refused(samebits, text, "--set", "qat.observe_steps=1") == (
        "error: [linear] fc1: expected in_features <= 66311 for int8 sums in int32, got 67600; "
        "use 7-bit weights or split the layer\n"
    )
    seven_bits = samebits.train(text, "--set", "qat.observe_steps=1", "--set", "qat.weight.bits=7")
    assert seven_bits.status()["verify"]["differing"] == {"package": 0, "onnx": 0}


@pytest.mark.parametrize("pattern, step", [("conv", "conv"), ("fc?1", '"fc?1"'), ("conv3", "conv3")])
def test_a_layer_that_the_model_does_not_have_is_named_before_training(samebits, data, pattern, step):
    nearest = {"conv": "conv1", "fc?1": "fc1", "conv3": "conv1"}[pattern]
    assert refused(samebits, config_text(data), "--set", f'qat.layers={{"{pattern}": {{skip: true}}}}') == (
        f"error: [prepare] layers.{step}: expected the name of a layer or a glob that matches one, got no match; "
        f'the nearest layer is "{nearest}"\n'
    )


def test_an_integer_beyond_32_bits_is_not_cut_short(samebits, data):
    assert refused(samebits, config_text(data), "--set", f"threads={2**32 + 1}") == (
        "error: [config] --set threads=4294967297: threads: expected an integer <= 1024, got 4294967297\n"
    )


def test_a_configuration_from_a_pipe_is_refused_without_waiting(samebits):
    os.mkfifo(samebits.folder / "net.pipe")
    assert error_of(samebits("train", "net.pipe"), 2) == (
        'error: [config] net.pipe: expected a readable file, got "a pipe or a device"; check the path\n'
    )


IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"
PIXELS = TRAIN * 12 * 12


def truncated(root):
    whole = idx_bytes(np.zeros((TRAIN, 12, 12)))
    (root / IMAGES).write_bytes(gzip.compress(whole[:-1000]))


def cut_off(root):
    (root / IMAGES).write_bytes((root / IMAGES).read_bytes()[:20])  # hardly more than the header


def corrupt(root):
    packed = bytearray((root / IMAGES).read_bytes())
    packed[-8] ^= 1  # of the checksum
    (root / IMAGES).write_bytes(packed)


def pipe(root):
    (root / IMAGES).unlink()
    os.mkfifo(root / IMAGES)


def without_checksum(root):
    (root / IMAGES).write_bytes((root / IMAGES).read_bytes()[:-8])


def labels_for_images(root):
    (root / IMAGES).write_bytes((root / LABELS).read_bytes())


def large_label(root):
    labels = np.arange(TRAIN) % 10
    labels[17] = 10
    write_idx(root / LABELS, labels)


# (what happens to the folder, the file it is about, the error behind its path)
DATA = {
    "missing": (
        lambda root: (root / IMAGES).unlink(), IMAGES,
        'expected an IDX file, got no such file; run "apt install dataset-fashion-mnist" or set data.idx to the '
        "folder that has it",
    ),
    "truncated": (
        truncated, IMAGES,
        f"expected {PIXELS} bytes of pixels, got {PIXELS - 1000}; the file is truncated; {AGAIN}",
    ),
    "cut off": (cut_off, IMAGES, f"expected an IDX header of 16 bytes, got 0; the file is truncated; {AGAIN}"),
    "corrupt": (corrupt, IMAGES, f'expected an intact gzip stream, got "incorrect data check"; {AGAIN}'),
    "a pipe": (
        pipe, IMAGES,
        "expected a readable file, got a pipe or a device; name a file of which you may read every byte",
    ),
    "without the gzip checksum": (
        without_checksum, IMAGES, f"expected a whole gzip stream, got one without its end; {AGAIN}",
    ),
    "labels for images": (
        labels_for_images, IMAGES,
        "expected the IDX magic 0x00000803 of images, got 0x00000801; this is a file of labels",
    ),
    "no IDX file": (
        lambda root: (root / LABELS).write_bytes(struct.pack(">4I", 0x89504E47, 1, 2, 3)), LABELS,
        "expected the IDX magic 0x00000801 of labels, got 0x89504e47; name an IDX file of unsigned bytes, gzipped or "
        "plain",
    ),
    "fewer labels": (
        lambda root: write_idx(root / LABELS, np.zeros(TRAIN - 1)), LABELS,
        f"expected {TRAIN} labels, one an image, got {TRAIN - 1}; the two files belong to different sets",
    ),
    "large label": (large_label, LABELS, "expected labels in 0..9, got 10 at image 17; is data.classes 10 right?"),
    "test images of another size": (
        lambda root: write_idx(root / "t10k-images-idx3-ubyte.gz", np.zeros((100, 8, 9))), "",
        "expected test images of 12 x 12 pixels like the training images, got 8 x 9 pixels; both are shown "
        "to one model",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", DATA)
def test_wrong_data_names_the_file(samebits, tmp_path, why):
    root = write_data(tmp_path / "data")
    damage, file, expected = DATA[why]
    damage(root)
    path = root / file if file else root
    assert refused(samebits, config_text(root, model=MLP)) == f"error: [data] {path}: {expected}\n"
