#!/usr/bin/env python3
"""gpu_check: everything that a card can tell about this tree, in one call of at most eight minutes.

    python3 tools/gpu_check pack DIR [--torch FOLDER]    here, with nvcc: what the other machine lacks, at most 60 MB
    python3 tools/gpu_check run DIR --out FOLDER         there: build, tests, checks, sanitizers, benchmarks
    python3 tools/gpu_check dry [--out FOLDER]           here, without a card: all of it up to the launch
    python3 tools/gpu_check table FILE                   here: the documentation's tables out of a run's gpu_check.json
    python3 tools/gpu_check build WORK --torch FOLDER    csrc against that torch, without linking

`run` is called as DIR/tree/tools/gpu_check, the sources that the folder was packed from. It writes gpu_check.json,
gpu_check.txt and gpu_check.log, after every part anew; goes on after failures; and ends in time, the parts that tell most
first. Exit: 0 all is well, 1 something differs, failed or had no time, 2 wrong use, 3 no device.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import threading
import time
from pathlib import Path

import build
import device_tests
import pack
import processes
import table
from report import BAD, Report

DEVICE_IS_LOST = 5  # of checks.py, which needs torch
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class Run:
    """One run: what it knows, and when it must end."""

    def __init__(self, options):
        self.pack = Path(options.folder).resolve() if options.folder else None
        self.out = Path(options.out).resolve()
        self.device = options.device
        self.is_dry = options.dry
        self.end = time.monotonic() + options.seconds
        self.report = Report(self.out)
        self.library: Path | None = None
        self.built: dict = {}
        self.log = open(self.out / "gpu_check.log", "w", buffering=1)
        self.builder: threading.Thread | None = None

    def left(self) -> float:
        return self.end - time.monotonic()

    def part(self, name: str, seconds: float, call) -> None:
        """Runs call(seconds it may take), which returns what to report."""
        seconds = min(seconds, self.left() - 5)
        if seconds < 5:
            self.report.add(name, {"state": "no time"})
            return
        began = time.monotonic()
        try:
            content = call(seconds)
        except Exception as error:  # noqa: BLE001  (the next part may still run)
            content = {"state": "failed", "error": f"{type(error).__name__}: {error}"[:1000]}
        content["seconds"] = round(time.monotonic() - began, 1)
        self.report.add(name, content)
        print(f"{name}: {content.get('state')}, {content['seconds']} s, {self.left():.0f} s left", flush=True)

    def keep(self, what: str, done: processes.Done) -> None:
        self.log.write(f"---- {what}: {' '.join(done.command)[:300]}: exit {done.code} after {done.seconds} s\n{done.output[-20000:]}\n")

    def python(self, script: str, arguments: list[str], seconds: float) -> tuple[processes.Done, list[dict]]:
        """A script of this folder in a process of its own, and the lines of JSON that it wrote before it ended."""
        lines = self.out / f"{script}.jsonl"
        lines.unlink(missing_ok=True)
        environment = {"SAMEBITS_OPS_LIBRARY": str(self.library), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, HERE / f"{script}.py", "--device", self.device, "--json", lines, "--seconds", str(seconds - 8), *arguments]
        done = processes.run(command, seconds, environment)
        self.keep(script, done)
        rows = []
        for line in lines.read_text().splitlines() if lines.exists() else []:
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:  # the last one, cut off
                pass
        lines.unlink(missing_ok=True)
        return done, rows


def facts(run: Run) -> dict:
    def first_line(*command) -> str:
        done = processes.run(command, 60)
        return done.output.strip().splitlines()[-1][:200] if done.code == 0 and done.output.strip() else f"none (exit {done.code})"

    told = {
        "card": first_line("nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.max.sm", "--format=csv,noheader"),
        "nvcc": first_line("nvcc", "--version") if shutil.which("nvcc") else first_line("/usr/local/cuda/bin/nvcc", "--version"),
        "compiler": first_line(os.environ.get("CXX", "g++"), "-dumpfullversion"),
        "glibc": " ".join(platform.libc_ver()), "cores": os.cpu_count(), "python": platform.python_version(),
        "torch": first_line(sys.executable, "-c", "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())"),
        "kernel": platform.release(),
    }
    if run.pack and (run.pack / "manifest.json").exists():
        manifest = json.loads((run.pack / "manifest.json").read_text())
        told["revision"] = manifest["revision"]
        told["carried operators"] = (manifest["operators"] or {}).get("torch", "none")
    return told


def torch_folder() -> Path:
    import importlib.util

    return Path(importlib.util.find_spec("torch").origin).parent


def work_folder() -> Path:
    return Path(os.environ.get("TMPDIR", "/tmp")) / "gpu_check_build"


def build_operators(run: Run) -> None:
    """On a thread of its own beside suites and sanitizers, which leave most cores idle. The modules' objects come with them."""
    try:
        cores, torch = os.cpu_count() or 2, build.Torch.find(torch_folder())
        build.precompile(torch, work_folder())
        modules = threading.Thread(target=build.compile_modules, args=(torch, run.pack, work_folder(), max(1, cores // 4)), daemon=True)
        modules.start()
        run.built = build.build(torch, run.pack, work_folder(), max(1, cores * 3 // 4))
        modules.join()
    except Exception as error:  # noqa: BLE001
        run.built = {"failed": {"build": f"{type(error).__name__}: {error}"}, "library": None}


def loads(run: Run, library: Path) -> str:
    """Empty, or why python cannot use it there."""
    done = processes.run([sys.executable, "-c", "import samebits, torch; print(torch.ops.samebits.relu)"], 120,
                         {"SAMEBITS_OPS_LIBRARY": str(library), "PYTHONPATH": str(ROOT / "python")})
    if done.code != 0:
        run.keep(f"loading {library}", done)
    return "" if done.code == 0 else done.output[-600:] or f"exit {done.code}"


def operators_carried(run: Run, seconds: float) -> dict:
    """The library that was brought along serves until the one that is being built is there."""
    carried = run.pack / "lib" / "libsamebits_ops.so"
    if not carried.exists():
        return {"state": "ok", "note": "none: the build serves from the start"}
    error = loads(run, carried)
    run.library = None if error else carried
    return {"state": "failed" if error else "ok", "error": error}


def operators_built(run: Run, seconds: float) -> dict:
    """Waits for the build, whose library serves from here on."""
    run.builder.join(seconds)
    if run.builder.is_alive():
        run.built = {"failed": {"build": "no time"}, "library": None}
    failed = run.built.setdefault("failed", {})
    for source, text in failed.items():
        run.log.write(f"---- build of {source}\n{text}\n")
    if run.built.get("library"):
        error = loads(run, Path(run.built["library"]))
        if error:
            failed["loading"] = error
        else:
            run.library = Path(run.built["library"])
    return {"state": "failed" if failed else "ok", "serves": str(run.library), **{k: v for k, v in run.built.items() if k != "library"}}


def modules(run: Run, seconds: float) -> dict:
    """The QAT modules: built against the library that serves, then run."""
    if run.library is None:
        return {"state": "no library"}
    began, torch = time.monotonic(), build.Torch.find(torch_folder())
    libraries = [run.pack / "lib", torch.folder / "lib", *(path.resolve().parent for path in torch.cuda_libraries)]
    environment = {"SAMEBITS_DEVICE": run.device, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    program, made = run.pack / "bin" / "modules_on_card", {}
    if not program.exists() or processes.run([program, "--gtest_list_tests"], 60, environment).code != 0:
        made = build.build_modules(torch, run.pack, work_folder(), os.cpu_count() or 2, run.library)
        for source, text in made["failed"].items():
            run.log.write(f"---- build of {source}\n{text}\n")
        if made["program"] is None:
            return {"state": "failed", "error": f"{list(made['failed'])}", "build_seconds": made["seconds"]}
        program, environment = Path(made["program"]), {"SAMEBITS_DEVICE": run.device}
    result = device_tests.run_filter(program, environment, "*", seconds - (time.monotonic() - began))
    return {"state": "failed" if result["failed"] or result["code"] != 0 else "ok", "tests": len(result["ran"]),
            "passed": len(result["ran"]) - len(result["failed"]), "failed": result["failed"], "output": result["output"],
            "built_there": bool(made)}


def suites(run: Run, seconds: float) -> dict:
    binary, environment, error = device_tests.program(run.pack)
    if error:
        return {"state": "failed", "error": error}
    if run.is_dry:
        listed = device_tests.tests_of(binary, environment)
        return {"state": "ok", "would run": sum(map(len, listed.values())), "suites": sorted(listed)}
    result = device_tests.run_suites(binary, environment, seconds / 2, 8)
    return {"state": "failed" if result["failed"] else "ok", **result}


def sanitizers(run: Run, seconds: float) -> dict:
    if run.is_dry:
        jobs = [f"{tool} of {len(names)} suites, memory {memory}" for tool, (memory, names) in device_tests.SANITIZERS.items()]
        return {"state": "ok", "would run": jobs}
    binary, environment, error = device_tests.program(run.pack)
    if error:
        return {"state": "failed", "error": error}
    rows = device_tests.sanitize(binary, environment, seconds - 3)
    return {"state": "ok" if all(row["state"].startswith(("clean", "no time")) for row in rows) else "failed", "rows": rows}


def checks(run: Run, parts: tuple[str, ...], seconds: float) -> dict:
    if run.library is None:
        return {"state": "no library"}
    arguments = [part for name in parts for part in ("--part", name)] + (["--small"] if run.is_dry else [])
    began, rows, start = time.monotonic(), [], 0
    for _ in range(6):  # a kernel that breaks the process costs its own case only
        done, more = run.python("checks", [*arguments, "--start", str(start)], seconds - (time.monotonic() - began))
        rows += more
        if done.code != DEVICE_IS_LOST or seconds - (time.monotonic() - began) < 20:
            break
        start = int(done.output.strip().splitlines()[-1]) + 1
    bad = [row for row in rows if row["state"] in BAD]
    state = "failed" if bad or done.code != 0 else "ok"
    return {"state": state, "exit": done.code, "rows": rows, "error": "" if done.code == 0 else done.output[-600:]}


def benchmarks(run: Run, parts: tuple[str, ...], seconds: float) -> dict:
    if run.library is None:
        return {"state": "no library"}
    arguments = [part for name in parts for part in ("--part", name)] + (["--tiny"] if run.is_dry else [])
    done, rows = run.python("bench", arguments, seconds)
    failed = [row for row in rows if row["case"] in ("failed", "left out")]
    return {"state": "failed" if failed or done.code != 0 else "ok", "exit": done.code, "rows": rows,
            "error": "" if done.code == 0 else done.output[-600:]}


def check_device(run: Run) -> int:
    run.report.facts = facts(run)
    run.report.write()
    print("\n".join(f"{key}: {value}" for key, value in run.report.facts.items()), flush=True)
    run.builder = threading.Thread(target=build_operators, args=(run,), daemon=True)
    run.builder.start()
    is_short = run.left() < 300  # then what tells least has no time, and the sanitizers have that of the build
    run.part("suites", 90, lambda seconds: suites(run, seconds))
    run.part("carried operators", 60, lambda seconds: operators_carried(run, seconds))
    if is_short:
        run.part("sanitizers", 50, lambda seconds: sanitizers(run, seconds))
    if run.library is None:
        run.part("build", 150, lambda seconds: operators_built(run, seconds))
    run.part("operators by gradients", 30, lambda seconds: checks(run, ("gradients", "conv gradients"), seconds))
    if "build" not in run.report.parts:
        run.part("build", 100, lambda seconds: operators_built(run, seconds))
    run.part("modules", 60, lambda seconds: modules(run, seconds))
    run.part("operators in a step", 40, lambda seconds: checks(run, ("waits", "capture"), seconds))
    run.part("operators by bits of layers", 35 if is_short else 80, lambda seconds: checks(run, ("layer bits",), seconds))
    run.part("benchmarks of convolutions", 25 if is_short else 40, lambda seconds: benchmarks(run, ("conv", "cnn"), seconds))
    run.part("benchmarks of products", 30 if is_short else 85, lambda seconds: benchmarks(run, ("linear", "step"), seconds))
    run.part("benchmarks of the rest", 25 if is_short else 55,
             lambda seconds: benchmarks(run, ("four_bits", "elementwise", "profiles"), seconds))
    run.part("operators for torch", 40, lambda seconds: checks(run, ("opcheck",), seconds))
    run.part("operators by bits", 150, lambda seconds: checks(run, ("other bits",), seconds))
    if not is_short:
        run.part("sanitizers", 240, lambda seconds: sanitizers(run, seconds))
    return finish(run)


def check_dry(run: Run, library: Path | None) -> int:
    """What needs no card: the checks and benchmarks on the CPU against itself, and the lists of what would run. Nobody
    lends a CPU by the minute: the limits only end what hangs."""
    run.report.facts = {"dry": "no card is looked for: operators and benchmarks run small, on the CPU", **facts(run)}
    run.library = library
    run.part("operators by bits", 600, lambda seconds: checks(run, ("bits", "gradients", "conv gradients"), seconds))
    run.part("operators in a step", 300, lambda seconds: checks(run, ("waits", "capture"), seconds))
    run.part("operators for torch", 300, lambda seconds: checks(run, ("opcheck",), seconds))
    run.part("benchmarks", 600, lambda seconds: benchmarks(run, (), seconds))
    run.part("sanitizers", 10, lambda seconds: sanitizers(run, seconds))
    run.part("sources", 10, lambda seconds: {"state": "ok", "would compile": len(build.sources()), "of the modules": len(build.MODULES)})
    if run.pack is not None:
        run.part("suites", 300, lambda seconds: suites(run, seconds))
    return finish(run)


def finish(run: Run) -> int:
    run.report.write()
    print((run.out / "gpu_check.txt").read_text()[-9000:])
    print(run.report.verdict())
    return 0 if all(part.get("state") == "ok" for part in run.report.parts.values()) else 1


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu_check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("folder")
    packing.add_argument("--torch", help="a torch folder (site-packages/torch) to build the operators for, too")
    packing.add_argument("--jobs", type=int, default=os.cpu_count())
    running = commands.add_parser("run")
    running.add_argument("folder")
    running.add_argument("--out", required=True)
    running.add_argument("--seconds", type=float, default=470)
    dry = commands.add_parser("dry")
    dry.add_argument("--folder", help="a folder of `pack`, to see its program start")
    dry.add_argument("--out", default="build/gpu_check_dry")
    dry.add_argument("--seconds", type=float, default=300)
    dry.add_argument("--library", help="libsamebits_ops.so; default: the one that python/samebits finds")
    tables = commands.add_parser("table")
    tables.add_argument("file")
    tables.add_argument("--out", default=ROOT / "build" / "tables")
    building = commands.add_parser("build")
    building.add_argument("work")
    building.add_argument("--torch", required=True)
    building.add_argument("--jobs", type=int, default=os.cpu_count())
    building.add_argument("--syntax-only", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if options.command == "pack":
        return pack.pack(Path(options.folder), Path(options.torch) if options.torch else None, options.jobs)
    if options.command == "table":
        return table.write(Path(options.file), Path(options.out))
    if options.command == "build":
        torch = build.Torch.find(Path(options.torch), not options.syntax_only)
        made = build.build(torch, None, Path(options.work), options.jobs, True)
        made["failed"] |= build.compile_modules(torch, None, Path(options.work), options.jobs, True)
        print(json.dumps(made, indent=1))
        return 1 if made["failed"] else 0
    options.dry = options.command == "dry"
    options.device = "cpu" if options.dry else "cuda"
    if options.dry:
        built = os.environ.get("SAMEBITS_BUILD_DIR", ROOT / "build" / "cpu")
        library = Path(options.library or Path(built) / "lib" / "libsamebits_ops.so")
        if not library.exists():
            print(f"[gpu_check] {library}: expected the operators, got no file; run make build", file=sys.stderr)
            return 3
        return check_dry(Run(options), library)
    if processes.run(["nvidia-smi", "-L"], 60).code != 0:
        print("[gpu_check] run: expected a card that nvidia-smi lists, got none; without one: gpu_check dry", file=sys.stderr)
        return 3
    return check_device(Run(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
