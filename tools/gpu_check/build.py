"""csrc against any LibTorch, without CMake and without our Debian packages: g++ on every file at once, then one link with
the kernels that `pack` brought as archives. The lists of sources are those of CMake's files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# As CMake's samebits_flags and samebits::torch; torch's own ABI is that of C++11 since 2.7.
FLAGS = ["-std=c++20", "-O2", "-fPIC", "-ffp-contract=off", "-fopenmp", "-DNDEBUG"]


def sources() -> list[Path]:
    """Of samebits_ops: the operators, then those of CUDA."""
    cpu = (ROOT / "csrc" / "CMakeLists.txt").read_text()
    cuda = (ROOT / "csrc" / "cuda" / "CMakeLists.txt").read_text()
    listed = re.search(r"add_library\(samebits_ops SHARED(.*?)\)", cpu, re.S)[1].split()
    listed += re.search(r"set\(operators(.*?)\)", cuda, re.S)[1].split()
    return [ROOT / "csrc" / name for name in listed]


@dataclass(frozen=True)
class Torch:
    """Where a LibTorch is: a folder with include/ and lib/, and the CUDA toolkit's headers and libraries."""

    folder: Path
    cuda_include: Path
    cuda_libraries: tuple[Path, ...]

    @staticmethod
    def find(folder: Path, with_libraries: bool = True) -> Torch:
        """Looks for CUDA beside torch (its wheels), then in the toolkit. Throws FileNotFoundError."""
        homes = [Path(os.environ.get("CUDA_HOME", "/usr/local/cuda")), folder.parent / "nvidia" / "cu13"]
        nvcc = shutil.which("nvcc")
        if nvcc:
            homes.insert(0, Path(nvcc).resolve().parents[1])

        def first(name: str) -> Path:
            places = [home / part for home in homes for part in ("", "lib64", "lib", "targets/x86_64-linux/lib")]
            found = [path for place in places for path in sorted(place.glob(name))]
            if not found:
                raise FileNotFoundError(f"{name}: expected one in {', '.join(map(str, homes))}, got none")
            return found[0]

        include = first("include/cuda_runtime_api.h").parent
        libraries = (first("libcudart.so*"), first("libcublasLt.so*")) if with_libraries else ()
        return Torch(folder, include, libraries)


@dataclass
class Compiled:
    source: str
    seconds: float  # 0: nothing to do
    text: str  # what the compiler said, if it failed


def compiler(torch: Torch) -> list[str]:
    headers = [torch.folder / "include", torch.folder / "include/torch/csrc/api/include", torch.cuda_include]
    command = [os.environ.get("CXX", "g++"), *FLAGS, "-w", f"-I{ROOT}"]
    return command + [part for path in headers for part in ("-isystem", str(path))]


def precompile(torch: Torch, work: Path) -> list[str]:
    """The options that give every file torch's headers ready made; none where that fails."""
    work.mkdir(parents=True, exist_ok=True)
    header, made = work / "precompiled_torch.h", work / "precompiled_torch.h.gch"
    if not made.exists():
        header.write_text("#include <torch/torch.h>\n")
        done = subprocess.run([*compiler(torch), "-x", "c++-header", "-o", str(made), str(header)], capture_output=True)
        if done.returncode != 0:
            return []
    return ["-include", str(header)]


def newest_source() -> float:
    """When something was last written that an object may be made of."""
    folders = (ROOT / name for name in ("csrc", "kernels", "quant", "torch_ext", "tests/cuda_card"))
    return max(path.stat().st_mtime for folder in folders for path in folder.rglob("*.[hc]*"))


def object_of(source: Path, objects: Path) -> Path:
    return objects / (str(source.relative_to(ROOT)).replace("/", ".") + ".o")


def compile_one(source: Path, objects: Path, command: list[str], syntax_only: bool, newest: float) -> Compiled:
    """Unless an object is there that is newer than every source."""
    name, made = str(source.relative_to(ROOT)), object_of(source, objects)
    if not syntax_only and made.exists() and made.stat().st_mtime > newest:
        return Compiled(name, 0.0, "")
    target = ["-fsyntax-only"] if syntax_only else ["-c", "-o", str(made)]
    command = [*command, *target, str(source)]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    return Compiled(name, round(time.monotonic() - began, 1), "" if done.returncode == 0 else done.stderr or "failed")


def link(objects: Path, pack: Path, torch: Torch, library: Path) -> str:
    """The error's text, or none."""
    ours = [pack / "lib" / name for name in ("libsamebits_quant.a", "libsamebits_kernels.a", "libsamebits_kernels_cuda.a", "libhwy.so.1")]
    theirs = [torch.folder / "lib" / f"lib{name}.so" for name in ("torch", "torch_cpu", "torch_cuda", "c10", "c10_cuda")]
    paths = [torch.folder / "lib", pack / "lib"] + [path.parent for path in torch.cuda_libraries]
    command = [os.environ.get("CXX", "g++"), "-shared", "-fopenmp", "-o", str(library)]
    command += [str(object_of(source, objects)) for source in sources()]  # others are left from renamed files
    command += ["-Wl,--no-as-needed,--allow-shlib-undefined,-rpath,$ORIGIN", *(f"-Wl,-rpath,{path.resolve()}" for path in paths)]
    command += [str(path) for path in [*ours, *theirs, *torch.cuda_libraries]]
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr


MODULES = ("torch_ext/config/qconfig.cpp", "torch_ext/modules/layer_watch.cpp", "torch_ext/modules/qat_conv2d.cpp",
           "torch_ext/modules/qat_layer.cpp", "torch_ext/modules/qat_linear.cpp", "torch_ext/quantizer/activation_quantizer.cpp",
           "torch_ext/quantizer/layer_quantizer.cpp", "torch_ext/quantizer/step_flags.cpp", "tests/cuda_card/modules_test.cpp")


def link_modules(objects: Path, pack: Path, torch: Torch, program: Path, operators: Path) -> str:
    """The error's text, or none. `operators` is found by its name, so that another folder's serves elsewhere."""
    ours = [pack / "lib" / name for name in ("libsamebits_quant.a", "libsamebits_kernels.a", "libgtest_main.a", "libgtest.a", "libhwy.so.1")]
    theirs = [torch.folder / "lib" / f"lib{name}.so" for name in ("torch", "torch_cpu", "torch_cuda", "c10", "c10_cuda")]
    paths = [operators.parent, torch.folder / "lib", pack / "lib"] + [path.parent for path in torch.cuda_libraries]
    command = [os.environ.get("CXX", "g++"), "-fopenmp", "-o", str(program), *(str(object_of(ROOT / name, objects)) for name in MODULES)]
    command += [f"-L{operators.parent}", f"-l:{operators.name}", *map(str, ours), "-Wl,--no-as-needed,--allow-shlib-undefined"]
    command += [*(f"-Wl,-rpath,{path.resolve()}" for path in paths), *map(str, [*theirs, *torch.cuda_libraries])]
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr or "failed"


def compile_modules(torch: Torch, pack: Path | None, work: Path, jobs: int, syntax_only: bool = False) -> dict[str, str]:
    """What failed, and what the compiler said of it."""
    objects = work / "objects"
    objects.mkdir(parents=True, exist_ok=True)
    newest = newest_source()
    command = [*compiler(torch), *precompile(torch, work), *([] if pack is None else ["-isystem", str(pack / "include")])]
    with ThreadPoolExecutor(jobs) as pool:
        done = list(pool.map(lambda name: compile_one(ROOT / name, objects, command, syntax_only, newest), MODULES))
    return {one.source: one.text[-3000:] for one in done if one.text}


def build_modules(torch: Torch, pack: Path, work: Path, jobs: int, operators: Path) -> dict:
    """The QAT modules with their test, as a program beside the operators; what is compiled already is not compiled again."""
    began = time.monotonic()
    failed, program = compile_modules(torch, pack, work, jobs), work / "modules_on_card"
    if not failed:
        error = link_modules(work / "objects", pack, torch, program, operators)
        if error:
            failed["link"] = error[-3000:]
    return {"failed": failed, "program": None if failed else str(program), "seconds": round(time.monotonic() - began, 1)}


def build(torch: Torch, pack: Path | None, work: Path, jobs: int, syntax_only: bool = False) -> dict:
    """Compiles everything, and links libsamebits_ops.so into `work` unless syntax_only. Goes on after errors."""
    objects = work / "objects"
    objects.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    newest = newest_source()
    command = [*compiler(torch), *precompile(torch, work)]
    with ThreadPoolExecutor(jobs) as pool:
        done = list(pool.map(lambda source: compile_one(source, objects, command, syntax_only, newest), sources()))
    result = {
        "files": len(done),
        "failed": {one.source: one.text[-3000:] for one in done if one.text},
        "slowest_seconds": max(one.seconds for one in done),
        "library": None,
    }
    if not result["failed"] and not syntax_only:
        library = work / "libsamebits_ops.so"
        error = link(objects, pack, torch, library)
        if error:
            result["failed"]["link"] = error[-3000:]
        else:
            result["library"] = str(library)
    result["seconds"] = round(time.monotonic() - began, 1)
    return result
