#!/usr/bin/env python3
"""fuzz.py BUILD_DIR [--seconds N] [--target NAME]: runs the fuzz targets of tests/fuzz, N seconds each (60).

Inputs that found something new stay in BUILD_DIR/corpus and are the start of the next run. Targets that choose their
implementations themselves share their seconds between the values of SAMEBITS_ISA. One line is printed for each run;
a failing input is kept as BUILD_DIR/crashes/NAME-*, with the report. Exit: 0 nothing found, 1 something, 2 wrong use.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ISAS = ["reference", "avx2", "avx512", "avx512_vnni", "amx"]
CHOOSES_ITSELF = {"conv2d"}  # its whole is compared with the oracle
READS_FILES = {"package", "exports"}
CASE_BYTES, FILE_BYTES = 128, 8192  # of one input: a case of a kernel takes few, its arrays are drawn from a seed
MEMORY_MB = 2048


def seeds_of(name):
    """The files of tests/data as seeds of the readers; see the first byte in tests/fuzz/{package,exports}_fuzz.cpp."""
    data = ROOT / "tests/data"
    if name == "package":
        package = data / "golden.samebits"
        graph, tensors = (package / "graph.json").read_bytes(), (package / "codes.safetensors").read_bytes()
        return {"graph": b"g" + graph, "tensors": b"s" + tensors, "package": b"p" + graph + b"\0" + tensors}
    if name != "exports":
        return {}
    npz, gguf, plain = ((data / f"golden.{kind}").read_bytes() for kind in ("npz", "gguf", "safetensors"))
    compressed = (data / "golden.compressed/model.safetensors").read_bytes()
    header = json.loads(plain[8 : 8 + int.from_bytes(plain[:8], "little")])
    graph = header.pop("__metadata__")["samebits.graph"]
    bare = json.dumps(header).encode()
    tensors = len(bare).to_bytes(8, "little") + bare + plain[8 + int.from_bytes(plain[:8], "little") :]
    return {
        "npz": b"n" + npz, "npy": b"y" + npz[npz.index(b"\x93NUMPY") : npz.index(b"PK", 4)], "gguf": b"u" + gguf,
        "gguf-model": b"g" + gguf, "safetensors-model": b"s" + plain, "compressed-model": b"c" + compressed,
        "plain-model": b"p" + graph.encode() + b"\0" + tensors,
    }  # fmt: skip


def write_seeds(name, corpus):
    for seed, contents in seeds_of(name).items():
        (corpus / f"seed-{seed}").write_bytes(contents)


def run_target(build, name, isa, seconds):
    """Prints one line, and what libFuzzer says when it found something. Returns whether nothing was found."""
    corpus, crashes = build / "corpus" / name, build / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(exist_ok=True)
    write_seeds(name, corpus)
    length = FILE_BYTES if name in READS_FILES else CASE_BYTES
    command = [str(build / "bin" / f"fuzz_{name}"), str(corpus), f"-max_total_time={seconds}", "-timeout=60",
               f"-max_len={length}", "-len_control=0",
               f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={crashes}/{name}-", "-print_final_stats=1"]
    environment = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"}
    if isa:
        environment["SAMEBITS_ISA"] = isa
    begin = time.monotonic()
    result = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            errors="replace")
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", result.stderr)
    verdict = "nothing found" if result.returncode == 0 else "FOUND, see " + str(crashes)
    print(f"{name:<10} {isa or 'default':<12} {time.monotonic() - begin:6.1f} s  "
          f"{runs.group(1) if runs else '?':>9} runs  {verdict}", flush=True)
    if result.returncode != 0:
        log = crashes / f"{name}{'-' + isa if isa else ''}.log"
        log.write_text(result.stderr)
        print(result.stderr[-4000:], file=sys.stderr)
    return result.returncode == 0


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--target", default="")
    options = parser.parse_args(arguments)
    build = options.build.resolve()
    names = sorted(path.name.removeprefix("fuzz_") for path in build.glob("bin/fuzz_*"))
    chosen = [name for name in names if options.target in ("", name)]
    if not chosen:
        print(f'error: [fuzz] --target: expected one of {", ".join(names) or "(none built)"}, got '
              f'"{options.target}"; make fuzz builds them', file=sys.stderr)
        return 2
    clean = True
    for name in chosen:
        isas = ISAS if name in CHOOSES_ITSELF else [""]
        for isa in isas:
            clean &= run_target(build, name, isa, max(1, options.seconds // len(isas)))
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
