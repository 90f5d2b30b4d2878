"""samebits sensitivity and samebits plan on a trained run: what they write, that it trains, and every refusal."""

import json
import re
import shutil

import pytest
from cli_runs import MLP, Run, config_text, error_of, run_guide
from conftest import ROOT

BITS = [4, 8]
# fc1 [32, 144], fc2 [16, 32], fc3 [10, 16]
LEAST_BYTES = sum(out * in_ // 2 + 4 * out for out, in_ in ((32, 144), (16, 32), (10, 16)))


@pytest.fixture(scope="module")
def trained(shared_samebits, data):
    return shared_samebits.train(config_text(data, model=MLP))


@pytest.fixture(scope="module")
def analyzed(trained, shared_samebits, tmp_path_factory):
    run = Run(shutil.copytree(trained.path, tmp_path_factory.mktemp("analyzed") / "run"))
    result = shared_samebits("sensitivity", run.path, "--bits", *BITS, "--examples", 100, "--hessian")
    assert result.returncode == 0, result.stderr
    run.table = result.stdout
    return run


@pytest.fixture
def run(analyzed, tmp_path):
    return Run(shutil.copytree(analyzed.path, tmp_path / "run"))


def sensitivity(run):
    return json.loads((run.path / "sensitivity.json").read_text())


def test_sensitivity_measures_every_layer_at_every_width(analyzed):
    found = sensitivity(analyzed)
    assert [layer["path"] for layer in found["layers"]] == ["fc1", "fc2", "fc3"]
    assert (found["metric"], found["examples"], found["bits"], found["hessian"]) == ("loss", 100, BITS, True)
    for layer in found["layers"]:
        narrow, wide = layer["bits"]
        assert (narrow["bits"], wide["bits"]) == (4, 8)
        assert wide["sqnr_db"] > narrow["sqnr_db"] + 15
        assert narrow["hessian"] > wide["hessian"] > 0 or layer["hessian_trace"] <= 0
    assert re.search(r"^fc1 +4 +\d+\.\d\d +\S+ +\S+$", analyzed.table, re.M), analyzed.table


def test_sensitivity_leaves_the_trained_model_as_it_was(trained, analyzed):
    assert trained.checkpoint("final").read_bytes() == analyzed.checkpoint("final").read_bytes()


def test_sensitivity_measures_the_same_again_and_goes_on_where_it_was(samebits, run):
    whole = sensitivity(run)
    part = whole | {"layers": whole["layers"][1:2]}
    part["layers"][0]["kind"] = "kept"
    (run.path / "sensitivity.json").write_text(json.dumps(part))
    result = samebits("sensitivity", run.path, "--bits", *BITS, "--examples", 100, "--hessian")
    assert result.returncode == 0, result.stderr
    again = {layer["path"]: layer for layer in sensitivity(run)["layers"]}
    assert again["fc2"]["kind"] == "kept"
    before = {layer["path"]: layer for layer in whole["layers"]}
    assert (again["fc1"], again["fc3"]) == (before["fc1"], before["fc3"])


def test_sensitivity_under_other_conditions_begins_anew(samebits, run):
    result = samebits("sensitivity", run.path, "--bits", 8, "--examples", 50, "--metric", "score")
    assert result.returncode == 0, result.stderr
    found = sensitivity(run)
    assert (found["metric"], found["examples"], found["bits"]) == ("score", 50, [8])
    assert len(found["layers"]) == 3


def test_a_dry_run_measures_nothing(samebits, trained, tmp_path):
    run = Run(shutil.copytree(trained.path, tmp_path / "run"))
    result = samebits("sensitivity", run.path, "--dry-run", "--examples", 100)
    assert (result.returncode, result.stdout) == (0, "3 layers, 5 widths: 16 passes over 100 examples\n")
    assert not (run.path / "sensitivity.json").exists()


@pytest.mark.parametrize("policy", ["exact", "threshold", "greedy", "uniform"])
def test_plan_keeps_within_memory_and_writes_an_experiment_that_trains(samebits, run, policy):
    result = samebits("plan", run.path, "--memory", "20%", "--policy", policy, "--out", "planned.yaml")
    assert result.returncode == 0, result.stderr
    rows = dict(re.findall(r"^(fc\d) +(\w+) ", result.stdout, re.M))
    assert list(rows) == ["fc1", "fc2", "fc3"]
    used = float(re.search(r", ([\d.]+)% of float", result.stdout)[1])
    assert used <= 20.0
    if policy != "exact":
        return
    trained = samebits("train", "planned.yaml")
    assert trained.returncode == 0, trained.stderr
    planned = samebits.newest_run("net_planned")
    assert planned.status()["verify"]["differing"] == {"package": 0, "onnx": 0}
    graph = json.loads((planned.path / "export/model.samebits/graph.json").read_text())
    bits = {n["name"]: str(n["weight"]["bits"]) if n["op"] == "linear" else "float"
            for n in graph["nodes"] if n["op"] in ("linear", "float_linear")}  # fmt: skip
    assert bits == rows


def test_exact_loses_no_more_than_the_other_policies(samebits, run):
    def loss(policy, by):
        result = samebits("plan", run.path, "--memory", "16%", "--policy", policy, "--by", by, "--dry-run")
        assert result.returncode == 0, result.stderr
        return float(re.search(r"predicted loss (\S+)", result.stdout)[1])

    for by in ("drop", "hessian", "sqnr"):
        losses = {policy: loss(policy, by) for policy in ("exact", "greedy", "uniform", "threshold")}
        assert losses["exact"] <= min(losses.values()), (by, losses)
    assert not (run.path / "plan.yaml").exists()


def test_the_front_goes_from_the_smallest_plan_to_the_best(samebits, run):
    result = samebits("plan", run.path, "--front", 5, "--by", "sqnr")
    assert result.returncode == 0, result.stderr
    parts = [float(part) for part in re.findall(r", ([\d.]+)% of float", result.stdout)]
    losses = [float(loss) for loss in re.findall(r"predicted loss (\S+)", result.stdout)]
    assert len(parts) >= 3 and parts == sorted(parts) and losses == sorted(losses, reverse=True)
    assert parts[-1] == 100.0 and losses[-1] == 0


def test_a_machine_gives_times_and_their_budget(samebits, run):
    free = samebits("plan", run.path, "--hardware", "raspberry_pi_4", "--by", "sqnr", "--dry-run")
    ms = float(re.search(r"(\S+) ms an example", free.stdout)[1])
    held = samebits("plan", run.path, "--hardware", "raspberry_pi_4", "--by", "sqnr", "--latency-ms", ms / 2, "--dry-run")
    assert held.returncode == 0, held.stderr
    assert float(re.search(r"(\S+) ms an example", held.stdout)[1]) <= ms / 2


# (arguments behind RUN, the error behind "error: ")
PLANS = {
    "memory that nothing keeps within": (
        ["--memory", "1kB"],
        f"[plan] memory: expected a budget of at least {LEAST_BYTES} bytes, got 1000; that is every layer at its "
        "fewest bits\n",
    ),
    "memory without a number": (
        ["--memory", "small"],
        "[plan] --memory: expected a part of the float weights like 20%, or bytes like 350kB or 1.5MB, got "
        '"small"\n',
    ),
    "memory of another unit": (
        ["--memory", "3GiB"],
        "[plan] --memory: expected a part of the float weights like 20%, or bytes like 350kB or 1.5MB, got "
        '"3GiB"\n',
    ),
    "latency without a machine": (
        ["--latency-ms", "1"],
        "[plan] --latency-ms: expected a machine beside it, got none; name one by --hardware\n",
    ),
    "an unknown machine": (
        ["--hardware", "raspbery_pi_4"],
        "[plan] --hardware: expected apple_m1, nvidia_sm_75, nvidia_sm_80, nvidia_sm_90, raspberry_pi_4, "
        'raspberry_pi_5, x86_amx, x86_avx2 or x86_vnni or a file *.yaml, got "raspbery_pi_4"; did you mean '
        '"raspberry_pi_4"?\n',
    ),
    "an unknown policy": (
        ["--policy", "best"],
        "[samebits] --policy: best not in {exact,threshold,greedy,uniform}; samebits plan --help shows an "
        "example\n",
    ),
}


@pytest.mark.parametrize("why", PLANS)
def test_plan_refuses(samebits, run, why):
    arguments, expected = PLANS[why]
    assert error_of(samebits("plan", run.path, *arguments), 2) == f"error: {expected}"


def test_plan_asks_for_sensitivities(samebits, trained):
    assert error_of(samebits("plan", trained.path, "--memory", "20%"), 2) == (
        f"error: [plan] {trained.path}/sensitivity.json: expected a file, got none; run samebits sensitivity "
        f"{trained.path}\n"
    )


def test_plan_refuses_a_file_that_is_not_sensitivities(samebits, run):
    (run.path / "sensitivity.json").write_text('{"layers": []}')
    error = error_of(samebits("plan", run.path), 2)
    assert error.startswith(f"error: [plan] {run.path}/sensitivity.json: expected what samebits sensitivity wrote, got ")
    assert error.endswith("; run samebits sensitivity again\n")


def test_a_profile_of_the_users_own(samebits, run):
    text = (ROOT / "planner/profiles/x86_avx2.yaml").read_text()
    (samebits.folder / "mine.yaml").write_text(text)
    assert samebits("plan", run.path, "--hardware", "mine.yaml", "--dry-run").returncode == 0
    (samebits.folder / "mine.yaml").write_text(text.replace("bandwidth_gb_s", "bandwith_gb_s"))
    error = error_of(samebits("plan", run.path, "--hardware", "mine.yaml", "--dry-run"), 2)
    assert error.startswith("error: [config] mine.yaml")


def test_every_profile_that_comes_with_the_program_is_read(samebits, run):
    names = sorted(path.stem for path in (ROOT / "planner/profiles").glob("*.yaml"))
    assert len(names) == 9
    for name in names:
        result = samebits("plan", run.path, "--hardware", name, "--dry-run")
        assert result.returncode == 0, (name, result.stderr)


@pytest.mark.parametrize("command", ["sensitivity", "plan"])
def test_help_shows_an_example(samebits, command):
    result = samebits(command, "--help")
    assert result.returncode == 0
    assert f"Example: samebits {command} runs/" in result.stdout


def test_the_commands_of_the_guide_work(samebits, data):
    run_guide(samebits, data, "docs/guides/plan.md")
