#!/usr/bin/env python3
"""mutants.py [--kernel STEM]... [--folder cuda|cpu|reference|shared] [--limit N] [--list]: do the tests notice a broken kernel?

Copies the tree to build/mutants, breaks one place of one kernel source at a time (OPERATORS below), rebuilds that kernel's
test and runs it. Prints a line for each mutant and the counts of each file. A mutant that survives is a missing test, or is
listed in tools/mutants.toml with the reason why it computes the same. Exit: 0 all killed or listed, 1 a mutant survives
unlisted or a listed one is killed, 2 wrong use, 3 the tree does not build.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "mutants"

# (what it is, pattern, replacement). clang-format puts a space on both sides of a binary operator and of nothing else.
OPERATORS = (
    ("the end of a range is off by one", r" < ", " <= "),
    ("the end of a range is off by one", r" <= ", " < "),
    ("a bound is taken for one inside", r" > ", " >= "),
    ("a bound is taken for one outside", r" >= ", " > "),
    ("a test is turned round", r" == ", " != "),
    ("a test is turned round", r" != ", " == "),
    ("one condition is enough", r" && ", " || "),
    ("all conditions are wanted", r" \|\| ", " && "),
    ("the wrong sign", r" \+ ", " - "),
    ("the wrong sign", r" - ", " + "),
    ("the wrong step", r" \* ", " + "),
    ("a quotient for a remainder", r" % ", " / "),
    ("a remainder for a quotient", r" / ", " % "),
    ("the wrong mask bit", r" << ", " >> "),
    ("the wrong mask bit", r" >> ", " << "),
    ("the other bits are lost", r" \|= ", " = "),
    ("an intersection for a union", r" \| ", " & "),
    ("the sum forgets", r" \+= ", " = "),
    ("an integer is one too large", r"(?<![\w.\"])(\d+)(?![\w.\"])", lambda m: str(int(m[1]) + 1)),
    ("an integer is one too small", r"(?<![\w.\"])([1-9]\d*)(?![\w.\"])", lambda m: str(int(m[1]) - 1)),
    ("a wrong bit of a constant", r"\b0x([0-9A-F]+)(u?)\b", lambda m: f"0x{int(m[1], 16) ^ 1:X}{m[2]}"),
    ("a NaN is not looked for", r"\b(?:std::|hn::)?(?:isnan|IsNaN)\((\w+(?:\[\w+\])?)\)", r"(\1 != \1 && false)"),
    ("another number", r"\b0\.0f", "1.0f"),
    ("the other rounding", r"\brintf\(", "floorf("),
    ("the other rounding", r"\bhn::Round\(", "hn::Floor("),
    ("the smaller for the larger", r"\bhn::Max\(", "hn::Min("),
    ("the larger for the smaller", r"\bhn::Min\(", "hn::Max("),
    ("a bound is taken for one outside", r"\bhn::Ge\(", "hn::Gt("),
    ("a bound is taken for one outside", r"\bhn::Le\(", "hn::Lt("),
    ("one condition is enough", r"\bhn::And\(", "hn::Or("),
    ("all conditions are wanted", r"\bhn::Or\(", "hn::And("),
    ("the wrong sign", r"\bhn::Sub\(", "hn::Add("),
    ("the wrong sign", r"\bhn::Add\(", "hn::Sub("),
    ("a step is left out", r"^(\s*)(?:if \(.*\) )?[\w.:]+\(.*\);$", r"\1;"),
    ("a step is left out", r"^(\s*)(?:if \([^;]*\) )?[\w.\[\]/]+ = [^;]*;$", r"\1;"),
)  # fmt: skip


@dataclass
class Mutant:
    path: str  # from the root
    line: int  # from 0
    what: str
    text: str  # the whole line, broken
    tests: list[str]
    original: str

    def __str__(self) -> str:
        shown = self.text.strip() if self.text.strip() != ";" else f"(without) {self.original.strip()}"
        return f"{self.path}:{self.line + 1}: {self.what}: {shown}"


def git_files() -> list[str]:
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    return [path for path in listed.splitlines() if (ROOT / path).is_file()]


def tests_of(path: str, files: set[str], declared: dict[str, list[str]]) -> list[str]:
    """The tests that must notice a mistake in a kernel source: the declared ones, or that of the same stem."""
    if path in declared:
        return declared[path]
    stem = stem_of(path)
    theme = path.split("/")[1]
    names = (f"cuda_kernels/{theme}/{stem}", f"cuda_kernels/{stem}") if folder_of(path) == "cuda" else (f"kernels/{theme}/{stem}",)
    return [name for name in names if f"tests/{name}_test.cpp" in files][:1]


def stem_of(path: str) -> str:
    """kernels/common/cpu/affine-inl.h: affine."""
    return Path(path).name.split(".")[0].removesuffix("-inl")


def folder_of(path: str) -> str:
    """kernels/THEME/cuda/x.cu: cuda; kernels/THEME/x.h, which all processors share: shared."""
    parts = path.split("/")
    return parts[2] if len(parts) > 3 else "shared"


def mutable_lines(source: str) -> list[int]:
    """Lines of code: no comments, directives, assertions, or declarations without a body."""
    return [
        i for i, line in enumerate(source.split("\n"))
        if (bare := line.strip()) and not bare.startswith(("//", "#", "static_assert", "using ", "namespace", "template"))
        and not bare.startswith(("SAMEBITS_", "constexpr decltype", "extern const", "__global__"))
    ]  # fmt: skip


def mutants_of(path: str, tests: list[str], limit: int) -> list[Mutant]:
    """At most `limit` (0: all), by turns of every operator that applies; the same ones each time."""
    lines = (ROOT / path).read_text(encoding="utf-8").split("\n")
    by_operator: list[list[Mutant]] = []
    for what, pattern, replacement in OPERATORS:
        found = []
        for i in mutable_lines("\n".join(lines)):
            code = lines[i].split("  //")[0]
            for match in re.finditer(pattern, code):
                text = code[: match.start()] + re.sub(pattern, replacement, match[0]) + code[match.end() :]
                if text != code:
                    found.append(Mutant(path, i, what, text, tests, lines[i]))
        random.Random(path).shuffle(found)
        if found:
            by_operator.append(found)
    chosen: list[Mutant] = []
    while any(by_operator) and (limit == 0 or len(chosen) < limit):
        for found in by_operator:
            if found and (limit == 0 or len(chosen) < limit):
                chosen.append(found.pop())
    return sorted(chosen, key=lambda mutant: mutant.line)


class Tree:
    """The scratch copy and its build folder."""

    def __init__(self, files: list[str], jobs: int):
        self.source, self.build, self.jobs = WORK / "source", WORK / "build", jobs
        self.seconds: dict[str, float] = {}  # a target may run: many times what it takes unbroken
        for path in files:
            target, wanted = self.source / path, (ROOT / path).read_bytes()
            if not target.is_file() or target.read_bytes() != wanted:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, target)
        if not (self.source / ".venv").exists():
            (self.source / ".venv").symlink_to((ROOT / ".venv").resolve())
        if not (self.build / "build.ninja").exists():
            options = ["-DCMAKE_BUILD_TYPE=Release", "-DSAMEBITS_TRAINING=OFF"]
            self.run(["cmake", "-S", self.source, "-B", self.build, "-G", "Ninja", *options], "configure")

    def run(self, command: list, what: str) -> None:
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            print(f"error: [mutants] {what}: expected to pass unbroken, got:\n{result.stdout[-3000:]}{result.stderr[-3000:]}",
                  file=sys.stderr)  # fmt: skip
            sys.exit(3)

    def targets(self, tests: list[str]) -> list[str]:
        return [test.replace("/", "_") + "_test" for test in tests]

    def builds(self, tests: list[str]) -> list:
        return ["ninja", "-C", self.build, f"-j{self.jobs}", *self.targets(tests)]

    def check_unbroken(self, tests: list[str]) -> None:
        self.run(self.builds(tests), "build")
        for target in self.targets(tests):
            start = time.monotonic()
            self.run([self.build / "bin" / target], target)
            self.seconds[target] = 5 + 5 * (time.monotonic() - start)

    def verdict(self, mutant: Mutant) -> str:
        """killed, survived, or "not C++": does not compile."""
        path = self.source / mutant.path
        original = path.read_text(encoding="utf-8")
        lines = original.split("\n")
        lines[mutant.line] = mutant.text
        path.write_text("\n".join(lines), encoding="utf-8")
        try:
            if subprocess.run(self.builds(mutant.tests), capture_output=True).returncode != 0:
                return "not C++"
            for target in self.targets(mutant.tests):
                try:
                    command = [self.build / "bin" / target, "--gtest_brief=1", "--gtest_fail_fast"]
                    if subprocess.run(command, capture_output=True, timeout=self.seconds[target]).returncode != 0:
                        return "killed"
                except subprocess.TimeoutExpired:  # it hangs
                    return "killed"
            return "survived"
        finally:
            path.write_text(original, encoding="utf-8")


def is_listed(mutant: Mutant, equivalents: list[dict]) -> bool:
    return any(mutant.path in e["files"] and e["becomes"] == mutant.text.strip() for e in equivalents)


def selected(options: argparse.Namespace, config: dict) -> list[Mutant]:
    files = git_files()
    mutants: list[Mutant] = []
    for path in files:
        if not path.startswith("kernels/") or not path.endswith((".h", ".cpp", ".cuh", ".cu")):
            continue
        if options.kernel and stem_of(path) not in options.kernel:
            continue
        if options.folder and folder_of(path) != options.folder:
            continue
        if tests := tests_of(path, set(files), config["tests"]):
            mutants += mutants_of(path, tests, options.limit)
    return mutants


def run_all(mutants: list[Mutant], tree: Tree, equivalents: list[dict]) -> list[str]:
    """Prints a line each and the counts; returns what is wrong."""
    problems: list[str] = []
    counts: dict[str, Counter] = {}
    checked: set[tuple] = set()
    for mutant in mutants:
        if (tests := tuple(mutant.tests)) not in checked:
            tree.check_unbroken(mutant.tests)
            checked.add(tests)
        verdict = tree.verdict(mutant)
        if is_listed(mutant, equivalents):
            if verdict == "killed":
                problems.append(f"listed as equivalent, yet killed: {mutant}")
            verdict = "equivalent" if verdict == "survived" else verdict
        elif verdict == "survived":
            problems.append(f"survived: {mutant}")
        counts.setdefault(mutant.path, Counter())[verdict] += 1
        print(f"{verdict:<10}  {mutant}", flush=True)
    print()
    width = max((len(path) for path in counts), default=0)
    print(f"{'':{width}}  killed  survived  equivalent  not C++")
    for path, count in counts.items():
        print(f"{path:{width}}  {count['killed']:6}  {count['survived']:8}  {count['equivalent']:10}  {count['not C++']:7}")
    return problems


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/mutants.py", description="Do the tests notice a broken kernel?")
    parser.add_argument("--kernel", action="append", metavar="STEM", help="kernel sources of this stem; default: all")
    parser.add_argument("--folder", choices=("cuda", "cpu", "reference", "shared"), help="of kernels/; default: all")
    parser.add_argument("--limit", type=int, default=12, metavar="N", help="mutants a file; 0: all; default: %(default)s")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="of the build; default: %(default)s")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    options = parser.parse_args(arguments)
    config = tomllib.loads((ROOT / "tools" / "mutants.toml").read_text(encoding="utf-8"))
    mutants = selected(options, config)
    if not mutants:
        parser.error("expected a kernel with a source in kernels/ and a test, got none; see git ls-files kernels")
    if options.list:
        for mutant in mutants:
            print(mutant)
        return 0
    os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    os.environ.update(CCACHE_BASEDIR=str(WORK), CCACHE_NOHASHDIR="1")
    problems = run_all(mutants, Tree(git_files(), options.jobs), config.get("equivalent", []))
    for problem in problems:
        print(f"error: [mutants] {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
