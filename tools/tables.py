#!/usr/bin/env python3
"""Puts measured figures into the documentation: tools/tables.py build/tables/NAME.json (or NAME.txt)

Rewrites what stands between <!-- table: NAME --> and <!-- end table --> in README.md and in docs/ with a table of
the file's rows: {"case", "variant", "metric", "value", "unit", "reference", "ratio", "machine"}, of which reference
and ratio may be null. A row may also have "columns", an object of heading and cell: then the table shows these instead
of reference and ratio. A text file, what a program printed, becomes a block of code. Exit: 0 done, 1 no file has the
marker, 2 wrong use or a bad file.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

KEYS = ("case", "variant", "metric", "value", "unit", "reference", "ratio", "machine")
MARKER = re.compile(r"^<!-- table: (\S+) -->$")
END = "<!-- end table -->"


class BadFile(Exception):
    """A rows file that cannot be read as one; the text says where."""


def read_rows(path: Path) -> list[dict]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadFile(f"{path}: expected a JSON list of rows, got {error}") from error
    if not isinstance(rows, list) or not rows:
        raise BadFile(f"{path}: expected a JSON list of at least one row, got {json.dumps(rows)[:60]}")
    for i, row in enumerate(rows):
        if not isinstance(row, dict) or set(row) - {"columns"} != set(KEYS):
            raise BadFile(f"{path}: row {i}: expected the keys {', '.join(KEYS)}, got {json.dumps(row)[:120]}")
        columns = row.get("columns", {})
        if not isinstance(columns, dict) or not all(isinstance(text, str) for text in columns.values()):
            raise BadFile(f"{path}: row {i}: columns: expected texts by heading, got {json.dumps(columns)[:120]}")
        for key in ("value", "ratio"):
            is_number = isinstance(row[key], (int, float)) and not isinstance(row[key], bool)
            if not is_number and not (key == "ratio" and row[key] is None):
                raise BadFile(f"{path}: row {i}: {key}: expected a number, got {json.dumps(row[key])}")
    return rows


def number(value: float) -> str:
    """Four digits that mean something, whole numbers whole."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def cell(text: str | None) -> str:
    return "" if text is None else str(text).replace("|", "\\|").replace("\n", " ")


def table(rows: list[dict]) -> list[str]:
    """The lines of the Markdown table, and of the machines below it."""
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    one_metric = len(metrics) == 1
    extra = list(dict.fromkeys(heading for row in rows for heading in row.get("columns", {})))
    last = [cell(heading) for heading in extra] or ["reference", "ratio"]
    headings = ["case", "variant", cell(metrics[0]) if one_metric else "value", *last]
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    for row in rows:
        value = f"{number(row['value'])} {row['unit']}".strip()
        if not one_metric:
            value = f"{row['metric']} {value}"
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}x"
        last = [row.get("columns", {}).get(heading) for heading in extra] or [row["reference"], ratio]
        cells = (row["case"], row["variant"], value, *last)
        lines.append("| " + " | ".join(cell(text) for text in cells) + " |")
    machines = dict.fromkeys(str(row["machine"]) for row in rows)
    return [*lines, "", "Machine: " + "; ".join(machines)]


def printed(path: Path) -> list[str]:
    """A program's output as the lines of a block of code."""
    try:
        return ["```", *path.read_text(encoding="utf-8").rstrip("\n").split("\n"), "```"]
    except (OSError, ValueError) as error:
        raise BadFile(f"{path}: expected a text file, got {error}") from error


def replaced(text: str, name: str, lines: list[str], where: str) -> tuple[str, int, list[str]]:
    """`text` with every block of `name` rewritten, how many there were, and what is wrong with its markers."""
    result, blocks, problems = [], 0, []
    old = text.split("\n")
    i = 0
    while i < len(old):
        result.append(old[i])
        i += 1
        marker = MARKER.match(old[i - 1].strip())
        if marker is None or marker[1] != name:
            continue
        end = next((j for j in range(i, len(old)) if old[j].strip() == END or MARKER.match(old[j].strip())), None)
        if end is None or old[end].strip() != END:
            problems.append(f"{where}:{i}: {old[i - 1].strip()}: expected {END} after it, got none; left as it is")
            continue
        result += ["", *lines, ""]
        i = end
        blocks += 1
    return "\n".join(result), blocks, problems


def documents(root: Path) -> list[Path]:
    return [path for path in (root / "README.md", *sorted((root / "docs").rglob("*.md"))) if path.is_file()]


def update(name: str, lines: list[str], size: str, root: Path) -> int:
    """Rewrites the blocks of `name` under `root`; says which on stdout, what is wrong on stderr."""
    total, known = 0, set()
    for path in documents(root):
        where = str(path.relative_to(root))
        text = path.read_text(encoding="utf-8")
        known.update(marker[1] for marker in map(MARKER.match, map(str.strip, text.split("\n"))) if marker)
        new, blocks, problems = replaced(text, name, lines, where)
        for problem in problems:
            print(f"error: [tables] {problem}", file=sys.stderr)
        if new != text:
            path.write_text(new, encoding="utf-8")
        if blocks:
            total += blocks
            print(f"{where}: table {name}, {size}{'' if new != text else ', as before'}")
    if total == 0 and name not in known:
        found = f"markers of {', '.join(sorted(known))}" if known else "none"
        print(
            f"error: [tables] {name}: expected a line <!-- table: {name} --> in README.md or docs/*.md, got {found}; "
            "add it and <!-- end table --> where the table belongs",
            file=sys.stderr,
        )
    return 0 if name in known else 1


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/tables.py", description="Puts measured figures into the documentation.")
    parser.add_argument("rows", type=Path, metavar="build/tables/NAME.json")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1], help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        if options.rows.suffix == ".txt":
            lines = printed(options.rows)
            size = f"{len(lines) - 2} lines"
        else:
            rows = read_rows(options.rows)
            lines, size = table(rows), f"{len(rows)} rows"
    except BadFile as error:
        print(f"error: [tables] {error}", file=sys.stderr)
        return 2
    return update(options.rows.stem, lines, size, options.root)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
