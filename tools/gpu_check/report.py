"""What a run found, as one JSON file and one text. Both are written anew after every part, so that a run that is cut off has
told what it knew."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

BAD = {"differs", "failed", "waits"}


class Report:
    def __init__(self, out: Path):
        self.out = out
        self.facts: dict = {}
        self.parts: dict[str, dict] = {}
        out.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, content: dict) -> None:
        self.parts[name] = content
        self.write()

    def write(self) -> None:
        (self.out / "gpu_check.json").write_text(json.dumps({"facts": self.facts, "parts": self.parts}, indent=1))
        (self.out / "gpu_check.txt").write_text(self.text())

    def text(self) -> str:
        lines = [f"{key}: {value}" for key, value in self.facts.items()]
        for name, part in self.parts.items():
            lines += ["", f"== {name}: {part.get('state', '')}, {part.get('seconds', 0)} s"]
            lines += TEXTS.get(name.split()[0], other_text)(part)
        return "\n".join(lines) + "\n"

    def verdict(self) -> str:
        return ", ".join(f"{name} {part.get('state', '?')}" for name, part in self.parts.items())


def other_text(part: dict) -> list[str]:
    return [f"  {key}: {value}" for key, value in part.items() if key not in ("state", "seconds", "rows") and value]


def suites_text(part: dict) -> list[str]:
    lines = [f"  {part.get('passed')} of {part.get('tests')} tests passed, {len(part.get('failed', {}))} failed"]
    return lines + [f"  FAILED {name}: {' '.join(text.split())[:400]}" for name, text in part.get("failed", {}).items()]


def checks_text(part: dict) -> list[str]:
    rows = part.get("rows", [])
    lines = []
    for kind in dict.fromkeys(row["part"] for row in rows):
        counts = Counter(row["state"] for row in rows if row["part"] == kind)
        elements = sum(row.get("elements", 0) for row in rows if row["part"] == kind)
        differing = sum(row.get("differing", 0) for row in rows if row["part"] == kind)
        nan_payloads = sum(row.get("nan_payloads", 0) for row in rows if row["part"] == kind)
        lines.append(f"  {kind}: " + ", ".join(f"{n} {state}" for state, n in counts.items())
                     + (f"; {differing} of {elements} elements differ, {nan_payloads} NaN payloads besides" if elements else ""))
    told = Counter()
    for row in rows:
        if row["state"] not in BAD and row["state"] != "left out":
            continue
        key = (row["part"], row["name"].split(":")[0], row["state"])
        told[key] += 1
        if told[key] <= 3:  # of an operator, the others are in the JSON file
            lines.append(f"  {row['state'].upper()} {row['name']}: {row['detail'][:300]}")
    lines += [f"  ... {n - 3} more of {key[1]} {key[2]}" for key, n in told.items() if n > 3]
    return lines


def sanitizers_text(part: dict) -> list[str]:
    lines = []
    for tool in dict.fromkeys(row["tool"] for row in part.get("rows", [])):
        rows = [row for row in part["rows"] if row["tool"] == tool]
        counts = Counter(row["state"] for row in rows)
        tests = sum(row.get("tests", 0) for row in rows)
        lines.append(f"  {tool}: {tests} tests; " + ", ".join(f"{n} suites {state}" for state, n in counts.items()))
        for row in rows:
            if row["state"].startswith(("errors", "did not")):
                lines.append(f"    {row['suite']}: {row['state']}, {row.get('summary')} errors; " + " | ".join(row.get("first", []))[:500])
    return lines


def bench_text(part: dict) -> list[str]:
    lines, case = [], None
    for row in part.get("rows", []):
        if row["case"] != case:
            case = row["case"]
            lines.append(f"  {case}")
        ratio = "" if row["ratio"] is None else f"  ratio {row['ratio']:<7}"
        spread = f"  {row['ms']} ms ({row['least_ms']}..{row['greatest_ms']})" if "ms" in row else ""
        lines.append(f"    {row['variant'][:60]:<60} {row['metric']:<9} {row['value']:>10} {row['unit']}{ratio}{spread}")
    return lines


TEXTS = {"suites": suites_text, "operators": checks_text, "sanitizers": sanitizers_text, "benchmarks": bench_text}
