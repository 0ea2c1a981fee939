"""Compiles the crate with the feature `cuda` on a machine without a GPU: `make check-cuda`.

Takes a CUDA toolkit from PyPI into target/cuda, nothing system-wide. dfdx's kernels are compiled by its nvcc, and
all of the crate, its tests, benches, examples and docs are checked. Nothing is linked or run: that needs the
driver's libraries.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "target" / "cuda"
# Newer versions make code that common drivers (580) may refuse.
PACKAGES = [
    f"nvidia-{name}==13.0.*"
    for name in ("cuda-nvcc", "cuda-crt", "nvvm", "cuda-runtime", "cuda-cccl", "cuda-nvrtc")
]
# dfdx asks the driver's program for the card: an H100, here.
COMPUTE_CAPABILITY = "9.0"


def main() -> int:
    try:
        toolkit = make_toolkit()
    except subprocess.CalledProcessError:
        print("check-cuda: pip could not get the toolkit (its own message is above)", file=sys.stderr)
        return 1
    environment = os.environ | {
        "CUDA_PATH": str(toolkit),
        "PATH": f"{make_card_program()}:{toolkit / 'bin'}:{os.environ['PATH']}",
        "RUSTDOCFLAGS": "-D warnings",
    }
    where = ["--features", "cuda", "--target-dir", FOLDER / "build"]
    for command in (["clippy", "--all-targets", *where, "--", "-D", "warnings"], ["doc", "--no-deps", *where]):
        code = subprocess.run(["cargo", *command], cwd=ROOT, env=environment).returncode
        if code != 0:
            return code
    return 0


def make_toolkit() -> Path:
    """The compiler, its headers and libraries, in an environment of their own."""
    python = FOLDER / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(FOLDER / "venv", with_pip=True, clear=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, *PACKAGES], check=True)
    packages = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    return Path(packages.stdout.strip(), "nvidia", "cu13")


def make_card_program() -> Path:
    """The folder of an `nvidia-smi` that knows one card."""
    program = FOLDER / "bin" / "nvidia-smi"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\necho compute_cap\necho {COMPUTE_CAPABILITY}\n")
    program.chmod(0o755)
    return program.parent


if __name__ == "__main__":
    sys.exit(main())
