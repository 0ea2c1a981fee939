"""Where set-up puts things, and how its parts exclude each other."""

from __future__ import annotations  # An old Python is to reach the line that says so.

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERNEL = ROOT / ".kernel"
"""All that set-up makes, but for the Python packages."""
POOL = KERNEL / "pool"
"""Build folders, one for each kernel that runs."""
TEMPLATE = POOL / "template"
"""The build folder that set-up builds, and that the others are copied from."""
RUST_SOURCE = KERNEL / "rust-src"
"""The part of the standard library's source that evcxr needs."""
CARGO_HOME = KERNEL / "cargo-home"
"""The cargo folder of running kernels."""
BIN = KERNEL / "bin"
"""Programs that running kernels find before all others."""
WARM_CONFIG = KERNEL / "config"
"""evcxr's configuration that loads the crate as a kernel starts."""
RELAY = KERNEL / "relay" / "bin" / "evcxr-relay"
"""What front ends talk to; evcxr runs behind it."""
LAB_CONFIG = KERNEL / "etc" / "jupyter"
"""JupyterLab's defaults for this project; what a user sets in JupyterLab goes before them."""
KERNEL_NAME = "energy-discrepancy"
NOTEBOOK_FEATURE = "notebook"
"""The cargo feature with which all notebooks use the crate."""
EVCXR_VERSION = "0.22.0"

FIRST_CELL = """\
:dep energy-discrepancy = { path = ".." }
use energy_discrepancy::prelude::*;
let preset = notebook::start(Preset::Quick)?;
"""


def python_pins() -> dict[str, str]:
    """The Python packages of environment.yml and their versions."""
    text = (ROOT / "environment.yml").read_text()
    return dict(re.findall(r"^\s+- ([\w-]+)=([\w.]+)$", text, re.MULTILINE))


def cargo_program() -> Path:
    """The toolchain's own: by rustup's stand-ins each of some twenty calls takes 50 ms longer."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True, cwd=ROOT)
    cargo = Path(sysroot.stdout.strip(), "bin", "cargo")
    return cargo if cargo.exists() else Path(shutil.which("cargo"))


def source_files() -> list[Path]:
    """What the crate is built from."""
    files = [ROOT / "Cargo.toml", ROOT / "Cargo.lock"]
    for folder in ("src", "assets", "kernels", "notebook", "relay/wire"):
        files += sorted(path for path in (ROOT / folder).rglob("*") if path.is_file())
    return files


def relay_files() -> list[Path]:
    """What the relay is built from."""
    files = sorted((ROOT / "relay").rglob("*.rs"))
    return [*sorted((ROOT / "relay").rglob("Cargo.toml")), ROOT / "Cargo.lock", *files]


def crate_files(folder: Path) -> list[tuple[str, int, int]]:
    """The built crate in a build folder: its files' names, sizes and times."""
    files = sorted((folder / "target").glob("*/debug/deps/libenergy_discrepancy*.so"))
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]


@contextlib.contextmanager
def locked(path: Path, *, on_wait=None):
    """Holds an exclusive lock on a file; calls `on_wait` if it has to wait for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait:
                on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_lock(path: Path, mode: int) -> int | None:
    """A file descriptor that holds the lock, or None if another process does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
