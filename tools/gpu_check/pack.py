"""What the other machine lacks, in one folder: the device's tests as a program for sm_90, the kernels as archives, Highway's
library, the sources that all of it belongs to, and a libsamebits_ops.so for one version of torch in case that the build
there fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import build

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "cuda_sm90"
LIMIT_MB = 58
TREE = ("csrc", "kernels", "quant", "torch_ext", "python", "tools", "tests")
TARGETS = ("samebits_kernels", "samebits_quant", "samebits_kernels_cuda", "cuda_kernels_on_card")
CONFIGURE = ("-DCMAKE_BUILD_TYPE=Release", "-DSAMEBITS_CUDA=ON", "-DSAMEBITS_CUDA_ARCHITECTURES=90", "-DSAMEBITS_TRAINING=OFF")


def tool(name: str) -> str:
    beside = ROOT / ".venv" / "bin" / name
    return str(beside) if beside.exists() else name


def make(jobs: int) -> None:
    """Configures and builds, as far as something changed."""
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"}
    if not (BUILD / "build.ninja").exists():
        subprocess.run([tool("cmake"), "-S", ROOT, "-B", BUILD, "-G", "Ninja", *CONFIGURE], check=True, env=environment,
                       stdout=sys.stderr)
    for target in TARGETS:
        subprocess.run([tool("cmake"), "--build", BUILD, "--target", target, "-j", str(jobs)], check=True, env=environment,
                       stdout=sys.stderr)


def library_of(program: Path, name: str) -> Path:
    """The file that `program` loads as `name`."""
    for line in subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.splitlines():
        if line.split()[0] == name:
            return Path(line.split()[2])
    raise FileNotFoundError(f"{name}: expected ldd to name it for {program}")


def revision() -> str:
    return subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def copy_tree(folder: Path) -> None:
    """The sources as they are here, so that what runs there is of one state."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *TREE], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split():
        target = folder / "tree" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)


def add_operators(folder: Path, torch_folder: Path, work: Path, jobs: int) -> dict:
    """Builds csrc against a torch that need not be whole: headers and libraries of the wheel."""
    made = build.build(build.Torch.find(torch_folder), folder, work, jobs)
    if made["library"]:
        subprocess.run(["strip", "-o", folder / "lib" / "libsamebits_ops.so", made["library"]], check=True)
        modules = build.build_modules(build.Torch.find(torch_folder), folder, work, jobs, folder / "lib" / "libsamebits_ops.so")
        made["failed"] |= modules["failed"]
        if modules["program"]:
            subprocess.run(["strip", "-o", folder / "bin" / "modules_on_card", modules["program"]], check=True)
    return made


def pack(folder: Path, torch_folder: Path | None, jobs: int) -> int:
    make(jobs)
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("bin", "lib", "lib_gcc"):
        (folder / part).mkdir(parents=True)
    program = folder / "bin" / "cuda_kernels_on_card"
    subprocess.run(["strip", "-o", program, BUILD / "bin" / program.name], check=True)
    shutil.copy2(BUILD / "kernels" / "libsamebits_kernels.a", folder / "lib")
    shutil.copy2(BUILD / "quant" / "libsamebits_quant.a", folder / "lib")
    shutil.copy2(BUILD / "csrc" / "cuda" / "libsamebits_kernels_cuda.a", folder / "lib")
    shutil.copy2(library_of(program, "libhwy.so.1"), folder / "lib" / "libhwy.so.1")
    for name in ("libstdc++.so.6", "libgcc_s.so.1"):  # only if those there are older
        shutil.copy2(library_of(program, name), folder / "lib_gcc" / name)
    for name in ("gtest", "gmock"):  # only if the program does not start there
        shutil.copytree(Path("/usr/include") / name, folder / "include" / name)
    for name in ("libgtest.a", "libgtest_main.a", "libgmock.a"):
        shutil.copy2(Path("/usr/lib/x86_64-linux-gnu") / name, folder / "lib")
    copy_tree(folder)
    manifest = {"revision": revision(), "operators": None}
    if torch_folder is not None:
        version = (torch_folder / "version.py").read_text().split("__version__ = '")[1].split("'")[0]
        made = add_operators(folder, torch_folder, BUILD / f"operators_{version}", jobs)
        manifest["operators"] = {"torch": version, **made}
        if made["failed"]:
            print(json.dumps(made["failed"], indent=1), file=sys.stderr)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    print(f"{folder}: {size:.1f} MB of {manifest['revision']}, "
          f"operators for torch {manifest['operators']['torch'] if manifest['operators'] else 'none (built there)'}")
    if size > LIMIT_MB:
        print(f"[gpu_check] {folder}: expected at most {LIMIT_MB} MB, got {size:.1f} MB; leave out --torch", file=sys.stderr)
        return 1
    return 0
