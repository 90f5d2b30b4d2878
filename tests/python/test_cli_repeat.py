"""The same seed gives the same bytes: twice, on every instruction set, at every thread count of the forward."""

import re
import shutil

import pytest
from cli_runs import CNN, Run, config_text

ISAS = ["reference", "avx2", "avx512"]
CONFIG = {"model": CNN, "qat": ', layers: {"fc*": {weight: {bits: 4, group_size: 32}}}'}


@pytest.fixture(scope="module")
def trained(shared_samebits, data):
    return shared_samebits.train(config_text(data, **CONFIG))


@pytest.fixture(params=ISAS)
def isa(request, samebits):
    """The name of an instruction set that this machine has."""
    result = samebits("doctor", SAMEBITS_ISA=request.param)
    assert result.returncode == 0, result.stderr
    used = re.findall(r"(\w+) +used$", result.stdout, re.MULTILINE)
    if request.param not in used:
        pytest.skip(f"no kernel runs as {request.param} on this machine")
    return request.param


@pytest.fixture
def copy(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "run")
    return Run(tmp_path / "run")


def test_the_same_seed_gives_the_same_checkpoint_and_exports(trained, samebits, data):
    assert samebits.train(config_text(data, **CONFIG)).results() == trained.results()


def test_another_seed_gives_others(trained, samebits, data):
    other = samebits.train(config_text(data, top="threads: 1\nseed: 1", **CONFIG)).results()
    mine = trained.results()
    assert other.keys() == mine.keys()
    same = {name for name in mine if other[name] == mine[name]}
    assert same == set()


def test_training_on_another_instruction_set_gives_the_same_bytes(trained, samebits, data, isa):
    run = samebits.train(config_text(data, **CONFIG), SAMEBITS_ISA=isa)
    assert run.results() == trained.results()
    assert run.status() == trained.status()


def test_a_checkpoint_is_exported_and_verified_alike_on_every_instruction_set(samebits, copy, isa):
    expected = copy.results()
    shutil.rmtree(copy.path / "export")
    (copy.path / "export").mkdir()
    exported = samebits("export", copy.path, SAMEBITS_ISA=isa)
    assert exported.returncode == 0, exported.stderr
    assert copy.results() == expected
    verified = samebits("verify", copy.path, SAMEBITS_ISA=isa)
    assert verified.returncode == 0
    assert verified.stdout == (
        "model.samebits: 0 of 1,000 logits differ (100 images)\nmodel.onnx: 0 of 1,000 logits differ (100 images)\n"
    )


def test_the_forward_has_the_same_bits_at_another_thread_count(samebits, copy):
    expected = samebits("eval", copy.path).stdout
    copy.replace_in_config("threads: 1\n", "threads: 2\n")
    assert samebits("eval", copy.path).stdout == expected
    assert samebits("verify", copy.path).returncode == 0
