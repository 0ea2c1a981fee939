"""Starts evcxr_jupyter, behind the relay, as the kernel "Rust (energy-discrepancy)".

Usage: launch_kernel.py EVCXR_JUPYTER CONNECTION_FILE (from the kernelspec that set-up writes)

Gives it a warm build folder that no other kernel uses, and the environment that makes it quick.
"""

import fcntl
import os
import shutil
import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from layout import (
    BIN,
    CARGO_HOME,
    KERNEL,
    KERNEL_NAME,
    NOTEBOOK_FEATURE,
    POOL,
    RELAY,
    ROOT,
    RUST_SOURCE,
    TEMPLATE,
    WARM_CONFIG,
    crate_files,
    source_files,
    try_lock,
)

STAMP = "stamp"
"""In a build folder: what it was built from."""


def claim_folder() -> Path:
    """A build folder of the pool that is ours while this process, or what it becomes, lives."""
    for number in count(1):
        lock = try_lock(POOL / f"{number}.lock", fcntl.LOCK_EX)
        if lock is not None:
            os.set_inheritable(lock, True)
            folder = POOL / str(number)
            renew(folder)
            return folder


def renew(folder: Path) -> None:
    """Makes the folder a copy of the template, unless it is one already."""
    template_lock = try_lock(POOL / "template.lock", fcntl.LOCK_SH)
    if template_lock is None:
        # Set-up is building the template. Without a copy the first cell is slow, and right.
        folder.mkdir(exist_ok=True)
        return
    try:
        wanted = read(TEMPLATE / STAMP)
        # A `:dep` line can have had the crate built anew: see check_dep.py.
        is_copy = read(folder / STAMP) == wanted and crate_files(folder) == crate_files(TEMPLATE)
        if wanted is None or is_copy:
            folder.mkdir(exist_ok=True)
            return
        shutil.rmtree(folder, ignore_errors=True)
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        # Incremental state belongs to the folder that it was made in.
        ignore = shutil.ignore_patterns("incremental")
        shutil.copytree(TEMPLATE, partial, symlinks=True, ignore=ignore)
        partial.rename(folder)
    finally:
        os.close(template_lock)


def read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def is_built(folder: Path) -> bool:
    """Whether the crate is built there as its sources are now."""
    try:
        built = (folder / STAMP).stat().st_mtime
    except FileNotFoundError:
        return False
    return all(path.stat().st_mtime < built for path in source_files())


def main(evcxr: str, connection_file: str) -> None:
    folder = TEMPLATE if os.environ.get("ED_BUILD_TEMPLATE") else claim_folder()
    # The versions that the tests ran with; `:dep` alone would take the newest.
    shutil.copy(ROOT / "Cargo.lock", folder)
    # To build the crate would take longer than a front end waits for a kernel to start.
    config = WARM_CONFIG if is_built(folder) else ROOT / "tools" / "evcxr"
    features = [f"{KERNEL_NAME}/{NOTEBOOK_FEATURE}", os.environ.get("EVCXR_FEATURES", "")]
    os.environ |= {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "EVCXR_FEATURES": " ".join(features),
        "EVCXR_PATHS": f"{KERNEL_NAME}={ROOT}",
        "EVCXR_DEP_CHECK": str(BIN / "check-dep"),
        "EVCXR_SIGNED_DISPLAYS": "1",
        "EVCXR_TMPDIR": str(folder),
        "EVCXR_CONFIG_DIR": str(config),
        "CARGO_HOME": str(CARGO_HOME),
        "RUST_SRC_PATH": str(RUST_SOURCE),
        # A starting evcxr updates the kernel "rust" that it finds here: not the user's own.
        "JUPYTER_PATH": str(KERNEL / "none"),
        "RUST_BACKTRACE": "0",
    }
    os.execv(RELAY, [RELAY, evcxr, connection_file])


if __name__ == "__main__":
    main(*sys.argv[1:])
