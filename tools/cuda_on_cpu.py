"""Runs the tests of the feature `cuda` without a GPU, `make test-cuda-on-cpu`, or the command that is given.

Stand-ins for NVIDIA's libraries, made from tests/cuda_on_cpu, take their place. dfdx's own kernels are compiled for the
CPU and run there, thread by thread. The toolkit and the build's folder are those of `make check-cuda`.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from check_cuda import FOLDER, ROOT, environment_with, make_toolkit
from layout import locked
from setup import digest

SOURCES = ROOT / "tests" / "cuda_on_cpu"
COMPILE = [sys.executable, SOURCES / "compile_kernels.py"]
COMPILER = [os.environ.get("CXX", "g++"), "-std=c++17", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared"]
# setjmp checked on every switch between fibers takes a jump to another stack for a fault.
COMPILER += ["-U_FORTIFY_SOURCE", "-pthread"]
LIBRARIES = {
    # name: its file's name, its sources, cudarc's list of its functions, what a function that is left out returns
    "cuda": ("libcuda.so.1", ["driver.cpp", "memory.cpp", "block.cpp", "module.cpp"], "driver", 801),
    "cublas": ("libcublas.so", ["blas.cpp"], "cublas", 15),
    "cublasLt": ("libcublasLt.so", [], "cublaslt", 15),
    "nvrtc": ("libnvrtc.so", ["nvrtc.cpp"], "nvrtc", 11),
}
"""Functions that are left out return NOT_SUPPORTED, or nvrtc's INTERNAL_ERROR."""

NAMES = ("cuda", "expressions", "golden", "lebm", "sweep", "twins", "wrong_energies")
"""Those of the crate's tests that are about devices, and take less than a minute here."""
STAND_INS = [sys.executable, SOURCES / "test_stand_in.py"]
TESTS = (
    ["cargo", "test", "--features", "cuda", *(f"--test={name}" for name in NAMES)],
    ["cargo", "test", "--features", "cuda", "--doc"],
)


def main() -> int:
    if shutil.which(COMPILER[0]) is None:
        print("cuda-on-cpu: the C++ compiler g++ is missing", file=sys.stderr)
        return 1
    try:
        environment = make_environment()
    except subprocess.CalledProcessError as error:
        print(f"cuda-on-cpu: {shlex.join(map(str, error.cmd))} fails (its message is above)", file=sys.stderr)
        return 1
    # The crate's own tests get by without kernels that dfdx compiles while it runs, from folders of the build.
    without_nvrtc = {name: value for name, value in environment.items() if name != "CUDA_ON_CPU_NVRTC"}
    commands = [(STAND_INS, environment), *((tests, without_nvrtc) for tests in TESTS)]
    for command, environment in [(sys.argv[1:], environment)] if len(sys.argv) > 1 else commands:
        code = subprocess.run(command, cwd=ROOT, env=environment).returncode
        if code != 0:
            return code
    return 0


def make_environment() -> dict[str, str]:
    """The environment of a command that finds the stand-ins instead of NVIDIA's libraries."""
    toolkit = make_toolkit()
    with locked(FOLDER / "on_cpu.lock", on_wait=lambda: print("cuda-on-cpu: waiting for another", file=sys.stderr)):
        folder = make(toolkit)
    environment = environment_with(toolkit)

    def before(name: str) -> str:
        # The toolkit's nvrtc looks for a library of its own there.
        return ":".join([str(folder), str(toolkit / "lib"), *filter(None, [environment.get(name)])])

    return environment | {
        "CARGO_TARGET_DIR": str(FOLDER / "build"),
        "LIBRARY_PATH": before("LIBRARY_PATH"),
        "LD_LIBRARY_PATH": before("LD_LIBRARY_PATH"),
        "CUDA_ON_CPU_KERNELS": str(folder / "kernels"),
        "CUDA_ON_CPU_COMPILE": shlex.join(map(str, COMPILE)),
        "CUDA_ON_CPU_COMPILED": str(folder / "compiled"),
        "CUDA_ON_CPU_NVRTC": str(next((toolkit / "lib").glob("libnvrtc.so.*"))),
    }


def make(toolkit: Path) -> Path:
    """The folder of the stand-ins. They are made anew when a source of theirs changes."""
    dfdx, cudarc = package("dfdx"), package("cudarc")
    kernels = sorted(dfdx.rglob("src/**/*.cu"))
    includes = [f"-I{folder}" for folder in sorted({header.parent for header in dfdx.rglob("src/**/*.cuh")})]
    folder = FOLDER / "on_cpu"
    sources = [*sorted(filter(Path.is_file, SOURCES.iterdir())), Path(__file__).resolve()]
    stamp, made = folder / "stamp", digest(sources, f"{toolkit} {dfdx} {cudarc}")
    if stamp.exists() and stamp.read_text() == made:
        return folder
    print("cuda-on-cpu: making the stand-ins (a minute)", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    for inner in ("kernels", "compiled"):
        (folder / inner).mkdir(parents=True)
    for name in LIBRARIES:
        make_library(name, folder, toolkit, cudarc)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        commands = [[*COMPILE, file, folder / "kernels" / f"{file.stem}.so", *includes] for file in kernels]
        list(pool.map(lambda command: subprocess.run(command, check=True), commands))
    stamp.write_text(made)
    return folder


def make_library(name: str, folder: Path, toolkit: Path, cudarc: Path) -> None:
    file, sources, part, refusal = LIBRARIES[name]
    # What cudarc links, but dfdx never calls: weak, so that a function of the stand-in goes before.
    functions = re.findall(r"pub fn (cu\w+|nvrtc\w+)\s*\(", (cudarc / "src" / part / "sys.rs").read_text())
    left_out = folder / f"{name}_left_out.cpp"
    left_out.write_text(
        "#include <stdio.h>\n"
        "static int refuse(const char *name) {\n"
        '    fprintf(stderr, "cuda on cpu: %s is left out\\n", name);\n'
        f"    return {refusal};\n"
        "}\n"
        + "".join(
            f'extern "C" __attribute__((weak)) int {function}() {{ return refuse("{function}"); }}\n'
            for function in sorted(set(functions))
        )
    )
    links = [] if name == "cuda" else [f"-L{folder}", "-lcuda"]
    inputs = [*(SOURCES / source for source in sources), left_out]
    output = ["-o", folder / file, f"-Wl,-soname,{file}"]
    subprocess.run([*COMPILER, f"-I{toolkit / 'include'}", *output, *inputs, *links, "-ldl"], check=True)
    if not (folder / f"lib{name}.so").exists():
        (folder / f"lib{name}.so").symlink_to(file)


def package(name: str) -> Path:
    """The folder of a dependency's source."""
    host = re.search("host: (.*)", output(["rustc", "-vV"]))[1]
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--features", "cuda"]
    packages = json.loads(output([*command, "--filter-platform", host]))["packages"]
    return next(Path(found["manifest_path"]).parent for found in packages if found["name"] == name)


def output(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
