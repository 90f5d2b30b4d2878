"""The shape of the code: layers include downwards only, argument lists, files and folders stay small, files are formatted."""

import shutil
import subprocess

import pytest
import structure
from conftest import ROOT

TREE = structure.Tree(None)
FACTS = structure.facts(TREE)


def test_no_layer_includes_a_higher_one():
    assert structure.upward_includes(TREE) == []


def test_an_include_that_goes_up_is_found():
    class Fake(structure.Tree):
        def __init__(self):
            pass

        def product(self):
            return {"kernels/a.h": '#include "csrc/b.h"\n', "csrc/b.cpp": '#include "kernels/a.h"\n'}

    assert structure.upward_includes(Fake()) == ["kernels/a.h includes csrc/"]


def test_the_folders_of_training_include_one_another_one_way():
    assert structure.circular_includes(TREE) == []


@pytest.mark.parametrize(
    ("name", "limit"),
    [("argument lists over 8", 0), ("files over 400 lines", 0), ("files in the fullest folder", 25), ("lines over 110 columns", 0), ("lines of README.md", 170)],
)
def test_the_code_stays_within_the_limits_of_contributing(name, limit):
    value, which = FACTS[name]
    assert value <= limit, which


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("int f(int a, int b) {\n  return a;\n}\n", [("f", 2, 3)]),
        ("int f(std::map<int, int> a, int b = g(1, 2)) { return 1; }", [("f", 2, 1)]),
        ("void f() const override { }", [("f", 0, 1)]),
        ("int x = f(1, 2, 3);\nif (a) { b(); }", []),
        ("Call::Call(int a, int b) : a_(a), b_{b} { }", [("Call", 2, 1)]),
        ("int f(int a /* , int b, */, int c) { return ','; }", [("f", 2, 1)]),
    ],
)
def test_functions_and_their_arguments_are_counted(source, expected):
    assert list(structure.functions_of(source)) == expected


def test_every_file_is_formatted():
    program = ROOT / ".venv" / "bin" / "clang-format"
    if not program.exists() and not (program := shutil.which("clang-format")):
        pytest.skip("clang-format is not installed; tools/setup.sh installs it")
    files = [f for f in TREE.files if structure.SOURCE.search(f) and (ROOT / f).is_file()]
    run = subprocess.run([program, "--dry-run", "-Werror", *files], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[:2000]
