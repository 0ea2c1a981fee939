"""Says whether this machine can build and run the feature `cuda`, before anything is built: one line.

Run by `make lab CUDA=1` and its like. dfdx compiles its kernels for the card that `nvidia-smi` names, with the `nvcc`
on the PATH, and its programs do not start without the libraries that are looked for here. With `--or-cpu` it adds that
the CPU is used instead.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

FOLDERS = ("/usr", "/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda")
"""Where dfdx looks for a toolkit."""
VARIABLES = ("CUDA_PATH", "CUDA_ROOT", "CUDA_TOOLKIT_ROOT_DIR")
"""What it asks before."""
LIBRARIES = ("cuda", "cublas", "cublasLt", "nvrtc")


class Missing(Exception):
    """What is missing or does not fit, and what to do."""


def main() -> int:
    try:
        print(f"cuda: {look()}")
        return 0
    except Missing as missing:
        instead = "; on the CPU instead" if sys.argv[1:] == ["--or-cpu"] else ""
        print(f"cuda: {missing}{instead}", file=sys.stderr)
        return 1


def look() -> str:
    name, driver, capability = card()
    toolkit = version("nvcc", ["--version"], r"release (\d+)\.(\d+)", "the CUDA toolkit")
    most = version("nvidia-smi", [], r"CUDA Version: (\d+)\.(\d+)", "the NVIDIA driver")
    if toolkit > most:
        raise Missing(
            f"the driver {driver} runs code of CUDA {dotted(most)} at most, and nvcc is of {dotted(toolkit)}: "
            f"update the driver, or put a toolkit of CUDA {dotted(most)} or older first on the PATH"
        )
    known = run("nvcc", ["--list-gpu-arch"], "the CUDA toolkit")
    if f"compute_{capability.replace('.', '')}" not in known.split():
        raise Missing(
            f"nvcc {dotted(toolkit)} makes no code for the {name} (compute capability {capability}), but for "
            f"{', '.join(known.split())}: install another version of the CUDA toolkit"
        )
    headers()
    for library in LIBRARIES:
        try:
            ctypes.CDLL(f"lib{library}.so" if library != "cuda" else "libcuda.so.1")
        except OSError as error:
            raise Missing(
                f"the library {library} cannot be loaded ({error}): add its folder, such as /usr/local/cuda/lib64, to "
                "LD_LIBRARY_PATH"
            ) from None
    return f"{name}, compute capability {capability}, driver {driver}, CUDA {dotted(toolkit)}"


def card() -> tuple[str, str, str]:
    """Name, driver and compute capability of the first card."""
    what = ["--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    lines = run("nvidia-smi", what, "the NVIDIA driver").splitlines()
    if not lines or lines[0].count(",") != 2:
        raise Missing(f"there is no GPU: nvidia-smi says {' '.join(lines) or 'nothing'!r}")
    name, driver, capability = (part.strip() for part in lines[0].split(","))
    return name, driver, capability


def run(program: str, arguments: list[str], part: str) -> str:
    if shutil.which(program) is None:
        raise Missing(f"{part} is missing: {program} is not on the PATH")
    result = subprocess.run([program, *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        first = next(iter((result.stdout + result.stderr).strip().splitlines()), f"exit code {result.returncode}")
        raise Missing(f"{program} fails: {first}")
    return result.stdout


def version(program: str, arguments: list[str], pattern: str, part: str) -> tuple[int, int]:
    found = re.search(pattern, run(program, arguments, part))
    if found is None:
        raise Missing(f"{program} does not tell its version of CUDA")
    return int(found[1]), int(found[2])


def dotted(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]}.{numbers[1]}"


def headers() -> None:
    folders = [os.environ[name] for name in VARIABLES if os.environ.get(name)] + list(FOLDERS)
    if not any(Path(folder, "include", "cuda.h").is_file() for folder in folders):
        raise Missing(
            f"include/cuda.h is in none of {', '.join(folders)}: set CUDA_PATH to the folder of the CUDA toolkit"
        )


if __name__ == "__main__":
    sys.exit(main())
