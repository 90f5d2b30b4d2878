#!/usr/bin/env python3
"""run_tests.py BUILD_DIR [FILTER]: runs every test, C++ and Python, and adds up their cases.

CTest runs the C++ programs, pytest tests/python; FILTER is a regular expression over CTest's names and, for Python,
"python/<file stem>". A line is printed for each test file that ends; then the failed cases, the skipped ones with their
reasons, and as the last line "N passed, N failed" or "N passed, N failed, N skipped". Exit: 0 passed, 1 failed, 2 wrong use.
"""

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_SECONDS = 600  # of one CTest entry


@dataclass
class Outcome:
    """Counts, and the names behind all but the passed ones."""

    passed: int = 0
    failed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)  # (name, reason)

    def add_case(self, name, element):
        """Adds a <testcase> of GoogleTest or pytest."""
        skip = element.find("skipped")
        if element.find("failure") is not None or element.find("error") is not None:
            self.failed.append(name)
        elif skip is not None:
            self.skipped.append((name, " ".join((skip.get("message") or skip.text or "no reason").split())))
        elif element.get("status") == "notrun":
            self.skipped.append((name, "disabled"))
        else:
            self.passed += 1


def read_cases(path):
    """All <testcase> elements of a result file; none when it is missing or was cut off."""
    try:
        return list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []


def add_ctest_entry(outcome, entry, results):
    """Adds the cases of one CTest entry; an entry without cases is itself one.

    A program that crashes leaves no result file or half of one: CTest's verdict then counts.
    """
    name = entry.get("name")
    result = results / (name.replace("/", ".") + ".xml")
    cases = read_cases(result)
    verdict = entry.get("status")  # run, fail, notrun, disabled
    skip = entry.find("skipped")
    asked_to_skip = verdict == "disabled" or (skip is not None and skip.get("message", "").startswith("SKIP_"))
    failed_before = len(outcome.failed)
    for case in cases:
        outcome.add_case(f"{name}: {case.get('classname')}.{case.get('name')}", case)
    if verdict != "run" and not asked_to_skip and len(outcome.failed) == failed_before:
        reason = next((e.get("message") for e in (entry.find("failure"), skip) if e is not None), verdict)
        outcome.failed.append(f"{name}: {reason or 'failed'}")
    elif not cases and result.exists():
        outcome.failed.append(f"{name}: no complete case in {result.relative_to(results.parent)}")
    elif not cases and asked_to_skip:
        outcome.skipped.append((name, skip.get("message") if skip is not None else verdict))
    elif not cases:
        outcome.passed += 1


def print_progress(stream):
    """CTest's lines as they come, without its lists before and after the tests."""
    for line in stream:
        if re.match(r"\s*\d+% tests passed|No tests were found", line):
            break
        if line.strip() and not re.match(r"Test project |\s+Start +\d+: ", line):
            print(line, end="", flush=True)
    stream.read()


def cached(build, option, default):
    """An option's value in the build folder; `default` when it is not there."""
    cache = build / "CMakeCache.txt"
    found = re.search(rf"^{option}:\w+=(.*)$", cache.read_text(), re.MULTILINE) if cache.exists() else None
    return found.group(1) if found else default


def sanitizers(build):
    """What the build was compiled with after -fsanitize=, or an empty text."""
    return cached(build, "SAMEBITS_SANITIZE", "")


def sanitizer_environment():
    """LibTorch is not instrumented: its leaks at exit and the locks inside it are not ours to judge."""
    return {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1",
            "TSAN_OPTIONS": "ignore_noninstrumented_modules=1"}


def run_ctest(build, test_filter, outcome):
    results = build / "results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir()
    beside_python = Path(sys.executable).parent / "ctest"
    report = results / "ctest.xml"
    command = [str(beside_python) if beside_python.exists() else "ctest", "--test-dir", str(build)]
    command += ["--output-on-failure", "-j", "2", "--timeout", str(TIMEOUT_SECONDS), "--output-junit", str(report)]
    command += ["-R", test_filter] if test_filter else []
    environment = sanitizer_environment() if sanitizers(build) else None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace", env=environment) as process:
        print_progress(process.stdout)
    entries = read_cases(report)
    for entry in entries:
        add_ctest_entry(outcome, entry, results)
    if process.returncode not in (0, 8) or not report.exists():  # 8: a test failed
        outcome.failed.append(f"ctest: exit status {process.returncode}")


def run_pytest(build, test_filter, outcome):
    files = sorted(ROOT.glob("tests/python/**/test_*.py"))
    files = [str(f.relative_to(ROOT)) for f in files if re.search(test_filter or "", f"python/{f.stem}")]
    if not files:
        return
    if sanitizers(build):
        reason = f"Python cannot load a library built with -fsanitize={sanitizers(build)}"
        outcome.skipped += [(file, reason) for file in files]
        return
    if cached(build, "SAMEBITS_TORCH", "ON") != "ON":
        outcome.skipped += [(file, "this build has no LibTorch: SAMEBITS_TORCH=OFF") for file in files]
        return
    result = build / "results" / "pytest.xml"
    environment = {**os.environ, "SAMEBITS_BUILD_DIR": str(build)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "python"), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "pytest", "--no-header", "-rN", "--tb=short", f"--junitxml={result}"]
    status = subprocess.run([*command, *files], cwd=ROOT, env=environment).returncode
    failed_before = len(outcome.failed)
    for case in read_cases(result):
        outcome.add_case(f"{case.get('classname')}.{case.get('name')}", case)
    if status != 0 and len(outcome.failed) == failed_before:
        outcome.failed.append(f"pytest: exit status {status}")


def summary(outcome):
    lines = [f"failed: {name}" for name in outcome.failed]
    for (name, reason), times in Counter(outcome.skipped).items():
        lines.append(f"skipped: {name}" + (f" ({times}x)" if times > 1 else "") + f": {reason}")
    counts = f"{outcome.passed} passed, {len(outcome.failed)} failed"
    return lines + [counts + (f", {len(outcome.skipped)} skipped" if outcome.skipped else "")]


def main(arguments):
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    build = Path(arguments[0]).resolve()
    test_filter = arguments[1] if len(arguments) == 2 else ""
    if not (build / "CTestTestfile.cmake").exists():
        print(f'error: [run_tests] {arguments[0]}: expected a configured build folder, got one without '
              "CTestTestfile.cmake; run `make build`", file=sys.stderr)
        return 2
    outcome = Outcome()
    run_ctest(build, test_filter, outcome)
    sys.stdout.flush()
    run_pytest(build, test_filter, outcome)
    if outcome == Outcome():
        outcome.failed.append(f"no test matches {test_filter!r}")
    print("\n".join(summary(outcome)))
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
