"""tools/run_tests.py counts what GoogleTest and CTest say, crashes and missing programs included."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN_TESTS = Path(__file__).parents[2] / "tools" / "run_tests.py"

SUITE = '<testsuites><testsuite name="S">{}</testsuite></testsuites>'
PASSED = '<testcase name="P" classname="S" status="run" result="completed"/>'
FAILED = '<testcase name="F" classname="S" status="run" result="completed"><failure message="no"/></testcase>'
SKIPPED = '<testcase name="K" classname="S" status="run" result="skipped"><skipped message="no\namx"/></testcase>'
DISABLED = '<testcase name="D" classname="S" status="notrun" result="suppressed"/>'

# (why, shell command of the CTest entry "layer/a", its properties, the last lines printed). XML stands for a result file.
CASES = [
    ("cases are added up", SUITE.format(2 * PASSED), "exit 0", "", ["2 passed, 0 failed"]),
    (
        "a failed case is named",
        SUITE.format(PASSED + FAILED),
        "exit 1",
        "",
        ["failed: layer/a: S.F", "1 passed, 1 failed"],
    ),
    (
        "a skipped case says why, a disabled one that it is",
        SUITE.format(PASSED + SKIPPED + DISABLED),
        "exit 0",
        "",
        ["skipped: layer/a: S.K: no amx", "skipped: layer/a: S.D: disabled", "1 passed, 0 failed, 2 skipped"],
    ),
    (
        "a crash after good cases fails",
        SUITE.format(PASSED),
        "kill -SEGV $$",
        "",
        ["failed: layer/a: SEGFAULT", "1 passed, 1 failed"],
    ),
    ("a crash without results fails", None, "kill -ABRT $$", "", ["failed: layer/a: Subprocess aborted", "0 passed, 1 failed"]),
    (
        "a result that was cut off fails",
        SUITE.format(PASSED)[:-20],
        "exit 0",
        "",
        ["failed: layer/a: no complete case in results/layer.a.xml", "0 passed, 1 failed"],
    ),
    (
        "a program that ran no case fails",
        SUITE.format(""),
        "exit 0",
        "",
        ["failed: layer/a: no complete case in results/layer.a.xml", "0 passed, 1 failed"],
    ),
    ("an entry without a result file is one case", None, "exit 0", "", ["1 passed, 0 failed"]),
    ("such an entry can fail", None, "exit 3", "", ["failed: layer/a: Failed", "0 passed, 1 failed"]),
    (
        "such an entry can be skipped",
        None,
        "exit 77",
        "SKIP_RETURN_CODE 77",
        ["skipped: layer/a: SKIP_RETURN_CODE=77", "0 passed, 0 failed, 1 skipped"],
    ),
    (
        "such an entry can be disabled",
        None,
        "exit 0",
        "DISABLED TRUE",
        ["skipped: layer/a: disabled", "0 passed, 0 failed, 1 skipped"],
    ),
    ("a timeout fails", None, "sleep 9", "TIMEOUT 0.2", ["failed: layer/a: Timeout", "0 passed, 1 failed"]),
]


def run(build, test_filter="^layer/"):
    return subprocess.run([sys.executable, RUN_TESTS, build, test_filter], capture_output=True, text=True)


def write_entry(build, xml, command, properties):
    result = build / "results" / "layer.a.xml"
    script = build / "a.sh"
    (build / "a.xml").write_text(xml or "")
    script.write_text((f"cp {build}/a.xml {result}\n" if xml is not None else "") + command + "\n")
    text = f'add_test("layer/a" "/bin/sh" "{script}")\n'
    if properties:
        text += f'set_tests_properties("layer/a" PROPERTIES {properties})\n'
    (build / "CTestTestfile.cmake").write_text(text)


@pytest.mark.parametrize("why, xml, command, properties, printed", CASES, ids=[c[0].replace(" ", "_") for c in CASES])
def test_counts(tmp_path, why, xml, command, properties, printed):
    write_entry(tmp_path, xml, command, properties)
    done = run(tmp_path)
    lines = done.stdout.splitlines()
    assert lines[-len(printed):] == printed
    assert not any(line.startswith(("failed: ", "skipped: ")) for line in lines[: -len(printed)])
    assert done.returncode == (1 if "failed: " in done.stdout else 0)


def test_a_program_that_was_not_built_fails(tmp_path):
    (tmp_path / "CTestTestfile.cmake").write_text('add_test("layer/a" "/nowhere/a_test")\n')
    done = run(tmp_path)
    assert done.stdout.splitlines()[-2:] == [
        "failed: layer/a: Unable to find executable",
        "0 passed, 1 failed",
    ]
    assert done.returncode == 1


def test_results_of_an_earlier_run_do_not_count(tmp_path):
    write_entry(tmp_path, None, "exit 0", "")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "layer.a.xml").write_text(SUITE.format(9 * PASSED))
    assert run(tmp_path).stdout.splitlines()[-1] == "1 passed, 0 failed"


def test_prints_a_line_for_each_finished_program_and_the_output_of_a_failed_one(tmp_path):
    write_entry(tmp_path, None, "echo the reason; exit 1", "")
    lines = run(tmp_path).stdout.splitlines()
    assert lines[0].startswith("1/1 Test #1: layer/a ") and "***Failed" in lines[0]
    assert lines[1] == "the reason"


def test_a_filter_that_matches_nothing_fails(tmp_path):
    write_entry(tmp_path, None, "exit 0", "")
    done = run(tmp_path, "^nowhere$")
    assert done.stdout == "failed: no test matches '^nowhere$'\n0 passed, 1 failed\n"
    assert done.returncode == 1


def test_a_folder_that_is_not_configured_is_wrong_use(tmp_path):
    done = run(tmp_path)
    assert done.stderr == (
        f"error: [run_tests] {tmp_path}: expected a configured build folder, got one without CTestTestfile.cmake; "
        "run `make build`\n"
    )
    assert done.returncode == 2


def test_a_build_with_sanitizers_skips_python_and_says_why(tmp_path):
    (tmp_path / "CTestTestfile.cmake").write_text("")
    (tmp_path / "CMakeCache.txt").write_text("SAMEBITS_SANITIZE:STRING=address,undefined\n")
    command = [sys.executable, RUN_TESTS, tmp_path, "python/test_tables"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.endswith(
        "skipped: tests/python/test_tables.py: Python cannot load a library built with -fsanitize=address,undefined\n"
        "0 passed, 0 failed, 1 skipped\n"
    )
