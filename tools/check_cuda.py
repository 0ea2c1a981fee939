"""Compiles the crate with the feature `cuda` on a machine without a GPU: `make check-cuda`.

Takes a CUDA toolkit from PyPI into target/cuda, nothing system-wide. dfdx's kernels are compiled by its nvcc, and
all of the crate, its tests, benches, examples and docs are checked, and the cells of the notebooks. Nothing is linked
or run: that needs the driver's libraries.
"""

import json
import os
import shutil
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
    environment = environment_with(toolkit)
    where = ["--target-dir", FOLDER / "build"]
    crate = ["--features", "cuda", *where]
    cells = write_cells() / "Cargo.toml"
    for command in (
        ["clippy", "--all-targets", *crate, "--", "-D", "warnings"],
        ["doc", "--no-deps", *crate],
        ["check", "--manifest-path", cells, *where],
    ):
        code = subprocess.run(["cargo", *command], cwd=ROOT, env=environment).returncode
        if code != 0:
            return code
    return 0


def environment_with(toolkit: Path) -> dict[str, str]:
    # The same for all that builds there: dfdx is built anew where it changes.
    return os.environ | {
        "CUDA_PATH": str(toolkit),
        "PATH": f"{make_card_program()}:{toolkit / 'bin'}:{os.environ['PATH']}",
        "RUSTDOCFLAGS": "-D warnings",
    }


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


def write_cells() -> Path:
    """A cargo project in which each notebook's cells, one after the other, are a program."""
    project = FOLDER / "cells"
    programs = project / "src" / "bin"
    shutil.rmtree(project, ignore_errors=True)
    programs.mkdir(parents=True)
    manifest = (ROOT / "Cargo.toml").read_text()
    # The same profiles, so that all that the crate depends on is compiled once.
    profiles = manifest[manifest.index("[profile") : manifest.index("[lints")]
    dependency = f'energy-discrepancy = {{ path = "{ROOT}", features = ["cuda"] }}'
    package = '[package]\nname = "cells"\nversion = "0.0.0"\nedition = "2024"'
    (project / "Cargo.toml").write_text(f"{package}\n[workspace]\n[dependencies]\n{dependency}\n{profiles}")
    shutil.copy(ROOT / "Cargo.lock", project)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        lines = "".join("".join(cell["source"]) + "\n;\n" for cell in cells).splitlines()
        code = "\n".join(line for line in lines if not line.startswith(":dep"))
        main = f"fn main() -> Result<(), Box<dyn std::error::Error>> {{\n{code}\nOk(())\n}}\n"
        (programs / f"{path.stem}.rs").write_text(f"#![allow(unused, redundant_semicolons)]\n{main}")
    return project


if __name__ == "__main__":
    sys.exit(main())
