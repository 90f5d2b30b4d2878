#!/usr/bin/env python3
"""structure.py [--revision REV] [--json FILE]: the shape of the product's own C++ code.

Prints, one line a fact: the longest argument list, argument lists over 8, types that describe a weight, functions over
40 lines, files over 400 lines, the fullest folder, lines that stand twice, README's length, and includes that go up a
layer. --revision reads a commit instead of the working tree. Exit: 0 within the limits of CONTRIBUTING.md, 1 not.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = re.compile(r"\.(h|cpp|cu|cuh)$")
LIMITS = {"arguments": 8, "function": 40, "file": 400, "folder": 25, "readme": 170}

# A layer, and what it may include besides itself. CONTRIBUTING.md has the picture.
LAYERS = {
    "kernels": set(),
    "io": set(),
    "quant": {"kernels"},
    "graph": {"kernels", "quant", "io"},
    "runtime": {"kernels", "quant", "io", "graph"},
    "export": {"kernels", "quant", "io", "graph"},
    "planner": {"kernels", "quant", "io", "graph"},
    "csrc": {"kernels", "quant"},
    "torch_ext": {"kernels", "quant", "io", "graph", "runtime", "export", "planner", "csrc", "include"},
    "training": {"kernels", "quant", "io", "graph", "runtime", "export", "planner", "csrc", "torch_ext", "include"},
}
# Declared because somebody else calls them: what a schema or an external API forces, function by function.
FORCED_ARGUMENTS: set[str] = set()
WEIGHT_TYPE = re.compile(r"^(?:struct|class|enum class) (\w*(?:Weight|QuantizedTensor|Encoding)\w*)\b[^;]*\{", re.M)


class Tree:
    """Files of the working tree, or of a commit."""

    def __init__(self, revision: str | None):
        self.revision = revision
        listing = ["git", "ls-tree", "-r", "--name-only", revision] if revision else ["git", "ls-files"]
        self.files = subprocess.check_output(listing, cwd=ROOT, text=True).splitlines()

    def read(self, path: str) -> str:
        if self.revision is None:
            return (ROOT / path).read_text(encoding="utf-8", errors="replace")
        return subprocess.check_output(["git", "show", f"{self.revision}:{path}"], cwd=ROOT).decode("utf-8", "replace")

    def product(self) -> dict[str, str]:
        paths = [f for f in self.files if SOURCE.search(f) and not f.startswith(("tests/", "examples/"))]
        if self.revision is None:
            paths = [f for f in paths if (ROOT / f).is_file()]
        return {path: self.read(path) for path in paths}


def without_comments(source: str) -> str:
    def blank(match: re.Match) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])\'', blank, source, flags=re.S)


def closing(source: str, start: int, opens: str, closes: str) -> int:
    """The index behind the bracket that closes the one before `start`."""
    depth, i = 1, start
    while i < len(source) and depth:
        depth += {opens: 1, closes: -1}.get(source[i], 0)
        i += 1
    return i


def argument_count(text: str) -> int:
    if not text.strip():
        return 0
    depth = commas = 0
    for previous, c in zip(" " + text, text):
        if c in "([{<":
            depth += 1
        elif c in ")]}" or (c == ">" and previous != "-"):
            depth -= 1
        elif c == "," and depth == 0:
            commas += 1
    return commas + 1


NO_FUNCTIONS = {"if", "for", "while", "switch", "catch", "return", "sizeof", "TORCH_CHECK", "constexpr", "decltype"}


def functions_of(source: str):
    """(name, arguments, lines) of every function definition."""
    code = without_comments(source)
    for match in re.finditer(r"\b([A-Za-z_]\w*)\s*\(", code):
        if match[1] in NO_FUNCTIONS:
            continue
        end = closing(code, match.end(), "(", ")")
        tail = re.match(r"\s*(?:const\s*)?(?:noexcept\s*)?(?:override\s*)?(?:->\s*[\w:<>&*,\s]+?)?(?::[^;{}]*(?:\{[^{}]*\}[^;{}]*)*)?\{", code[end : end + 600])
        arguments = code[match.end() : end - 1]
        if not tail or (arguments.strip() and not re.search(r"[\w&*>\]]\s+[&*]*\w+|^\s*void\s*$|&&?\s*$|^[\w:&<>\s]+$", arguments.split(",")[0])):
            continue
        body_end = closing(code, end + tail.end(), "{", "}")
        yield match[1], argument_count(arguments), code[match.start() : body_end].count("\n") + 1


def repeated_lines(sources: dict[str, str], window: int = 6) -> int:
    """Lines that are part of `window` or more consecutive lines which stand somewhere else too."""
    seen: dict[tuple, list] = {}
    for path, source in sources.items():
        lines = [(i, line.strip()) for i, line in enumerate(without_comments(source).split("\n"))]
        lines = [(i, line) for i, line in lines if len(line) > 3 and not line.startswith(("#", "using ", "namespace"))]
        for k in range(len(lines) - window + 1):
            key = tuple(line for _, line in lines[k : k + window])
            seen.setdefault(key, []).append((path, [i for i, _ in lines[k : k + window]]))
    repeated = {(path, i) for places in seen.values() if len(places) > 1 for path, rows in places for i in rows}
    return len(repeated)


def wide_lines(sources: dict[str, str]) -> list[str]:
    """Characters, not bytes. clang-format leaves comments as they are, so that sentences stay whole."""
    return [f"{path}:{i}" for path, source in sources.items()
            for i, line in enumerate(source.split("\n"), 1) if len(line) > 110]  # fmt: skip


def upward_includes(tree: Tree) -> list[str]:
    found = []
    for path, source in tree.product().items():
        layer = path.split("/")[0]
        for included in re.findall(r'^\s*#\s*(?:include|define HWY_TARGET_INCLUDE) "([\w.-]+)/', source, re.M):
            if layer in LAYERS and included in LAYERS and included != layer and included not in LAYERS[layer]:
                found.append(f"{path} includes {included}/")
    return found


# The folders of training/, and what each may include besides itself and the files of training/ itself.
TRAINING = {
    "report": set(),
    "readers": {"report"},
    "data": {"readers"},
    "models": set(),
    "plan": set(),
    "tasks": {"data", "readers", "models"},
    "run": {"report"},
    "loop": {"data", "models", "tasks", "run", "report"},
    "ship": {"data", "models", "tasks", "loop", "run", "report"},
    "commands": {"loop", "tasks", "run", "report", "plan", "ship"},
}


def circular_includes(tree: Tree) -> list[str]:
    """Includes between the folders of training/ that go against their order."""
    found = []
    for path, source in tree.product().items():
        if path.count("/") != 2 or not path.startswith("training/"):
            continue
        folder = path.split("/")[1]
        for included in re.findall(r'^\s*#\s*include "training/(\w+)/', source, re.M):
            if included != folder and included not in TRAINING[folder]:
                found.append(f"{path} includes training/{included}/")
    return found


def facts(tree: Tree) -> dict:
    sources = tree.product()
    functions = [(path, *f) for path, source in sources.items() for f in functions_of(source)]
    longest = max(functions, key=lambda f: f[2])
    over = sorted(f"{p} {name}" for p, name, n, _ in functions if n > LIMITS["arguments"] and name not in FORCED_ARGUMENTS)
    long_functions = sorted(((lines, f"{p} {name}") for p, name, _, lines in functions if lines > LIMITS["function"]), reverse=True)
    long_files = sorted(((s.count("\n"), p) for p, s in sources.items() if s.count("\n") > LIMITS["file"]), reverse=True)
    folder, count = Counter(str(Path(p).parent) for p in sources).most_common(1)[0]
    weight_types = sorted({t for s in sources.values() for t in WEIGHT_TYPE.findall(s)})
    return {
        "longest argument list": (longest[2], f"{longest[0]} {longest[1]}"),
        "argument lists over 8": (len(over), ", ".join(over[:4])),
        "types that describe a weight": (len(weight_types), ", ".join(weight_types)),
        "functions over 40 lines": (len(long_functions), ", ".join(f"{name} ({n})" for n, name in long_functions[:4])),
        "files over 400 lines": (len(long_files), ", ".join(f"{p} ({n})" for n, p in long_files[:4])),
        "files in the fullest folder": (count, folder),
        "lines that stand twice": (repeated_lines(sources), "six or more in a row"),
        "lines over 110 columns": (len(wide := wide_lines(sources)), ", ".join(wide[:4])),
        "lines of README.md": (tree.read("README.md").count("\n"), ""),
        "includes up a layer": (len(up := upward_includes(tree)), ", ".join(up[:4])),
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/structure.py", description="The shape of the C++ code.")
    parser.add_argument("--revision", metavar="REV", help="a commit instead of the working tree")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the facts there")
    options = parser.parse_args(arguments)
    found = facts(Tree(options.revision))
    for name, (value, which) in found.items():
        print(f"{name:30} {value:5}  {which}".rstrip())
    if options.json:
        options.json.write_text(json.dumps({name: value for name, (value, _) in found.items()}, indent=1) + "\n")
    limits = {
        "longest argument list": LIMITS["arguments"],
        "files over 400 lines": 0,
        "files in the fullest folder": LIMITS["folder"],
        "lines over 110 columns": 0,
        "lines of README.md": LIMITS["readme"],
        "includes up a layer": 0,
    }
    return 1 if any(found[name][0] > limit for name, limit in limits.items()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
