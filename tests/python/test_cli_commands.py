"""The other commands on a trained run: verify, eval, export, doctor; help and wrong use of the command line."""

import hashlib
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from cli_runs import Run, config_text, error_of
from conftest import ROOT
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

SAME = "{}: 0 of 1,000 logits differ (100 images)\n"


@pytest.fixture(scope="module")
def trained(shared_samebits, data):
    return shared_samebits.train(config_text(data))


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "run")
    return Run(tmp_path / "run")


def change_codes(run, tensor, count):
    """Other values for the first weight codes of the package: what a wrong converter would write."""
    path = run.path / "export/model.samebits/codes.safetensors"
    tensors = load_file(path)
    codes = tensors[tensor].reshape(-1)
    codes[:count] += np.where(codes[:count] < 0, 40, -40).astype(np.int8)
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata)
    lines = [f"{hashlib.sha256((path.parent / name).read_bytes()).hexdigest()}  {name}\n"
             for name in ("codes.safetensors", "graph.json")]  # fmt: skip
    (path.parent / "SHA256SUMS").write_text("".join(lines))


@pytest.mark.parametrize("node, layer, count", [(1, "conv1", 1), (8, "fc1", 32 * 144)])
def test_verify_names_the_first_layer_that_differs(samebits, run, node, layer, count):
    change_codes(run, f"{layer}.weight", count)
    result = samebits("verify", run.path, "--json", "verify.json")
    assert result.returncode == 1, result.stderr
    found = re.fullmatch(
        r"model\.samebits: ([\d,]+) of 1,000 logits differ \(100 images\); first at (image \d+, logit \d: "
        rf"expected -?[\d.]+, got -?[\d.]+; node {node} \({layer}\) is the first to differ, "
        r"in (\d+) of \d+ elements)\n" + re.escape(SAME.format("model.onnx")),
        result.stdout,
    )
    assert found, result.stdout
    assert int(found[3]) > 0
    assert json.loads((samebits.folder / "verify.json").read_text()) == {
        "images": 100,
        "logits": 1000,
        "differing": {"package": int(found[1].replace(",", "")), "onnx": 0},
        "first_difference": {"package": found[2]},
    }


def test_verify_refuses_a_package_that_was_damaged(samebits, run):
    path = run.path / "export/model.samebits"
    damaged = bytearray((path / "codes.safetensors").read_bytes())
    damaged[-1] ^= 1
    (path / "codes.safetensors").write_bytes(damaged)
    result = samebits("verify", run.path)
    assert error_of(result, 2) == (
        f"error: [package] {path}: expected files with the sums of SHA256SUMS, got others; they are damaged, or not of "
        "one package\n"
    )


def test_verify_finds_the_onnx_file_of_another_model(samebits, run, data):
    other = samebits.train(config_text(data, top="threads: 1\nseed: 1"))
    shutil.copy(other.path / "export/model.onnx", run.path / "export/model.onnx")
    result = samebits("verify", run.path)
    assert result.returncode == 1
    package, onnx = result.stdout.splitlines(keepends=True)
    assert package == SAME.format("model.samebits")
    assert re.match(
        r"model\.onnx: (1,000|\d+) of 1,000 logits differ \(100 images\); first at image 0, logit 0: ", onnx
    )


def test_verify_of_equal_files_exits_with_0_and_writes_the_counts(samebits, run):
    result = samebits("verify", run.path, "--json", "verify.json")
    assert (result.returncode, result.stdout) == (0, SAME.format("model.samebits") + SAME.format("model.onnx"))
    counts = {"images": 100, "logits": 1000, "differing": {"package": 0, "onnx": 0}}
    assert json.loads((samebits.folder / "verify.json").read_text()) == counts


def test_verify_says_where_it_cannot_write(samebits, run):
    error = error_of(samebits("verify", run.path, "--json", "none/verify.json"), 3)
    assert error == "error: [write] none/verify.json: No such file or directory\n"


def test_verify_without_onnxruntime_says_how_to_get_it(samebits, run):
    assert error_of(samebits("verify", run.path, SAMEBITS_PYTHON="/none/python"), 3) == (
        "error: [onnx] /none/python: expected a Python with onnxruntime, got: No such file or directory; "
        "set SAMEBITS_PYTHON\n"
    )


@pytest.mark.parametrize("option", [[], ["--package"]])
def test_eval_gives_the_accuracy_of_training(samebits, run, option):
    result = samebits("eval", run.path, *option)
    assert result.returncode == 0, result.stderr
    last = [record for record in run.metrics() if record["kind"] == "epoch"][-1]
    accuracy, loss = last["accuracy"], last["test_loss"]
    assert result.stdout == f"accuracy  {accuracy:.2f}%\nloss      {loss:.4f}\nexamples  100\n"


def test_eval_of_a_package_that_is_not_there(samebits, run):
    shutil.rmtree(run.path / "export/model.samebits")
    assert error_of(samebits("eval", run.path, "--package"), 2).startswith(
        f"error: [package] {run.path}/export/model.samebits"
    )


@pytest.mark.parametrize("formats", [["onnx"], ["package"], ["onnx", "package"], []])
def test_export_writes_the_formats_that_are_asked_for(samebits, run, formats):
    expected = run.results()
    files = {"onnx": "export/model.onnx", "package": "export/model.samebits"}
    wanted = formats or ["package", "onnx"]  # as configured
    shutil.rmtree(run.path / "export")
    (run.path / "export").mkdir()
    result = samebits("export", *(f"--format={name}" for name in formats), run.path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "".join(f"{run.path}/{files[name]}\n" for name in wanted)
    kept = {name: data for name, data in expected.items() if name.startswith(("checkpoints", *map(files.get, wanted)))}
    assert run.results() == kept


def test_doctor_prints_a_line_a_fact_in_columns(samebits):
    result = samebits("doctor")
    assert (result.returncode, result.stderr) == (0, "")
    facts, table = result.stdout.split("\n\n")
    assert [line.split()[0] for line in facts.splitlines()] == ["samebits", "LibTorch", "CUDA", "threads", "processor"]
    header, *rows = table.splitlines()
    assert header == "kernel                  implementation  here"
    kernels, used = [], []
    for row in rows:
        assert re.fullmatch(r".{24}\w+ +(used|available|skipped: .+)", row), row
        assert row[24:40].strip() and row[39] == " "
        kernels += [row[:24].strip()] if row[0] != " " else []
        used += [kernels[-1]] if row[40:] == "used" else []
    assert used == kernels and {"fake_quantize", "gemm_int8", "gemm_int4"} <= set(kernels)


def test_doctor_says_what_samebits_isa_skips(samebits):
    result = samebits("doctor", SAMEBITS_ISA="reference")
    assert result.returncode == 0
    rows = [(row[24:40].strip(), row[40:]) for row in result.stdout.split("\n\n")[1].splitlines()[1:]]
    assert {here for name, here in rows if name == "reference"} == {"used"}
    others = {here for name, here in rows if name != "reference"}
    assert others == {"skipped: SAMEBITS_ISA=reference"}


@pytest.mark.parametrize("command", [["doctor"], ["train", "net.yaml"]])
def test_an_unknown_instruction_set_is_wrong_use(samebits, data, command):
    samebits.write_config(config_text(data))
    result = samebits(*command, SAMEBITS_ISA="avx1024")
    assert (error_of(result, 2), result.stdout) == (
        'error: [isa] SAMEBITS_ISA: expected reference, neon, neon_dotprod, avx2, avx512, avx512_vnni or amx, got '
        '"avx1024"; unset it to let the processor decide\n',
        "",
    )
    assert not (samebits.folder / "runs").exists()


@pytest.mark.parametrize("command", ["train", "eval", "export", "verify", "ptq", "sensitivity", "plan", "doctor"])
def test_help_of_a_command_shows_an_example(samebits, command):
    result = samebits(command, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search(rf"^Example: .*samebits {command}", result.stdout, re.MULTILINE), result.stdout
    assert re.search(rf"^  {command} ", samebits("--help").stdout, re.MULTILINE)


@pytest.mark.parametrize("command", ["train", "eval", "export", "verify", "ptq", "sensitivity", "plan", "doctor"])
def test_help_is_a_command_too(samebits, command):
    assert samebits("help", command).stdout == samebits(command, "--help").stdout
    assert samebits("help").stdout == samebits("--help").stdout


def test_help_lists_the_commands_in_groups(samebits):
    text = samebits("--help").stdout
    groups = re.findall(r"^(.+):\n((?:  \w+ .*\n)+)", text[text.index("Train:") :], re.MULTILINE)
    assert [(name, re.findall(r"^  (\w+)", lines, re.MULTILINE)) for name, lines in groups] == [
        ("Train", ["train"]), ("Look at a run", ["eval", "benchmark"]),
        ("Ship a run", ["export", "verify", "deploy"]), ("Quantize without training", ["ptq"]),
        ("Plan", ["sensitivity", "plan", "effects"]),
        ("This machine", ["doctor"]),
    ]  # fmt: skip
    assert "Exit code 0: done; 1: the answer is no; 2: wrong use; 3: the machine lacks something." in text


@pytest.mark.parametrize("arguments", [["doctor"], ["--help"], ["--version"], ["help", "train"], ["eval", "RUN"]])
@pytest.mark.parametrize("place, cause", [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor")])
def test_lost_output_is_no_success(samebits, run, arguments, place, cause):
    words = [str(run.path) if word == "RUN" else word for word in arguments]
    result = subprocess.run(
        ["sh", "-c", f'"$0" "$@" {place}', samebits.program, *words],
        capture_output=True, text=True, env=samebits.environment({}), timeout=120,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (3, f"error: [write] standard output: {cause}\n")


def test_a_closed_standard_error_does_not_write_into_the_runs_files(samebits, data):
    config = samebits.write_config(config_text(data, top="threads: 1\nexport: [package]"))
    script = f'"$0" train {config} 2>&- <&-'
    subprocess.run(
        ["sh", "-c", script, samebits.program], cwd=samebits.folder, env=samebits.environment({}), check=True,
        stdout=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    files = [file for file in samebits.newest_run().path.rglob("*") if file.is_file()]
    assert not [file for file in files if b"ms/step" in file.read_bytes()]


def test_a_missing_temporary_folder_is_what_the_machine_lacks(samebits, run):
    error = error_of(samebits("verify", run.path, TMPDIR="/none"), 3)
    assert error.startswith("error: [samebits] system: ") and "/none" in error


def test_verify_runs_no_python_of_the_current_folder(samebits, run):
    for name in ("numpy", "onnxruntime", "samebits", "struct"):
        (samebits.folder / f"{name}.py").write_text(f"open('{samebits.folder}/{name}.ran', 'w')\n")
    assert samebits("verify", run.path).returncode == 0
    assert list(samebits.folder.glob("*.ran")) == []


def test_control_characters_of_a_name_are_not_sent_to_the_terminal(samebits):
    assert error_of(samebits("eval", "a\x1b[31mb\x9bc"), 2) == (
        "error: [run] a\\x1b[31mb\\x9bc: expected the folder of a run, got one without config.resolved.yaml; "
        "look in runs/\n"
    )


def test_version_is_that_of_the_project(samebits):
    assert samebits("--version").stdout == (ROOT / "version.txt").read_text().strip() + "\n"


COMMANDS = "train, eval, export, verify, deploy, ptq, sensitivity, plan, effects, benchmark or doctor"
WRONG_USE = [
    (["help", "quantize"], f'expected {COMMANDS}, got "quantize"; samebits --help lists them'),
    ([], f"expected {COMMANDS}, got none; samebits --help lists them"),
    (["trian", "a.yaml"], f'expected {COMMANDS}, got "trian"; did you mean "train"?'),
    (["quantize"], f'expected {COMMANDS}, got "quantize"; samebits --help lists them'),
    (["train"], "CONFIG: expected a YAML file or --resume RUN, got none; samebits train --help shows an example"),
    (["train", "a.yaml", "--resume", "b"], "CONFIG excludes --resume; samebits train --help shows an example"),
    (["train", "--resume", "b", "--set", "seed=1"], "--set excludes --resume; samebits train --help shows an example"),
    (["eval"], "RUN is required; samebits eval --help shows an example"),
    (["export", "--format", "tflite", "a"],
     "--format: tflite not in {package,onnx,onnx_qdq,onnx_tensorrt,safetensors,compressed_tensors,gguf,npz,c_header}; samebits export --help shows an example"),
    (["doctor", "now"],
     "The following argument was not expected: now; samebits doctor --help shows an example"),
]  # fmt: skip


@pytest.mark.parametrize(
    "arguments, text", WRONG_USE, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_wrong_use_of_the_command_line(samebits, arguments, text):
    result = samebits(*arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"error: [samebits] {text}\n")
