"""Sets up everything that a notebook needs: `make setup`.

Each step is skipped where its result is there already, so that the second call takes a second,
and a call after Ctrl-C goes on where it was. Writes below .kernel and .venv, and into the
ordinary caches of cargo, rustup and pip.
"""

from __future__ import annotations  # An old Python is to reach the line that says so.

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from layout import (
    BIN,
    CARGO_HOME,
    EVCXR_VERSION,
    KERNEL,
    KERNEL_NAME,
    LAB_CONFIG,
    NOTEBOOK_FEATURE,
    POOL,
    ROOT,
    RELAY,
    RUST_SOURCE,
    TEMPLATE,
    WARM_CONFIG,
    cargo_program,
    locked,
    python_pins,
    relay_files,
    source_files,
)

MIN_RUST = (1, 95)
VENV = ROOT / ".venv"
FEATURES = [NOTEBOOK_FEATURE] + [
    feature.removeprefix(f"{KERNEL_NAME}/")
    for feature in os.environ.get("EVCXR_FEATURES", "").replace(",", " ").split()
    if feature.startswith(f"{KERNEL_NAME}/")
]
"""Cargo features with which notebooks use the crate; the relay adds them to their cells."""


class Missing(Exception):
    """Something that only the user can install: one line, with the command that does."""


def main() -> None:
    try:
        with locked(KERNEL / "setup.lock", on_wait=lambda: say("waiting for another set-up")):
            check_prerequisites()
            check_place()
            python = ensure_python()
            library = ensure_rust_source()
            copy_rust_source(library)
            evcxr = ensure_evcxr()
            ensure_relay()
            write_cargo_home()
            write_programs()
            write_kernelspec(evcxr)
            write_configuration()
            write_lab_settings()
            write_pool()
            ensure_template(python, evcxr)
    except Missing as missing:
        sys.exit(f"set-up: {missing}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"set-up: this command failed: {' '.join(map(str, error.cmd))}")
    except OSError as error:
        sys.exit(f"set-up: {error}")
    except KeyboardInterrupt:
        sys.exit("set-up: stopped; the next call goes on from here")


def say(text: str) -> None:
    print(f"set-up: {text}", flush=True)


def write(path: Path, text: str, *, executable: bool = False) -> None:
    """Whole or not at all, since a kernel may read it now; and not where nothing changes."""
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text)
    partial.chmod(0o755 if executable else 0o644)
    partial.replace(path)


def output(*command) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def check_prerequisites() -> None:
    if sys.version_info < (3, 10):
        raise Missing("Python 3.10 or newer is needed: sudo apt install python3")
    if not shutil.which("cargo"):
        raise Missing("Rust is missing: install rustup as https://rustup.rs says")
    found = re.search(r"(\d+)\.(\d+)", output("rustc", "--version"))
    if tuple(map(int, found.groups())) < MIN_RUST:
        raise Missing(f"Rust {found[0]} is too old, {MIN_RUST[0]}.{MIN_RUST[1]} is needed: rustup update stable")
    if not (shutil.which("cc") or shutil.which("gcc") or os.environ.get("CC")):
        raise Missing("a C compiler is missing: sudo apt install gcc libc6-dev")


def check_place() -> None:
    """Whether the tools can work in this folder; and whether it was somewhere else before."""
    if odd := re.sub(r"[\w./+,@=~-]", "", str(ROOT)):
        raise Missing(
            f"the path of this folder holds {odd[0]!r}, which evcxr cannot work with ({ROOT}): "
            "move the folder to a path of letters, digits and . _ - + , @ = ~"
        )
    record = KERNEL / "place"
    if record.exists() and record.read_text() != str(ROOT):
        say("the folder was moved: what names its path is installed and built again (5 minutes)")
        for folder in (VENV, POOL):
            shutil.rmtree(folder, ignore_errors=True)
    write(record, str(ROOT))


# Python packages


def ensure_python() -> Path:
    """The Python of an active conda environment that holds all packages, or else of .venv."""
    conda = conda_python()
    if not conda and not venv_is_complete():
        make_venv()
    python = conda or VENV / "bin" / "python"
    # For the Makefile, which need not know which of the two it is.
    launcher = KERNEL / "python"
    write(launcher, f'#!/bin/sh\nexec "{python}" "$@"\n', executable=True)
    return python


def conda_python() -> Path | None:
    prefix = os.environ.get("CONDA_PREFIX")
    if not prefix:
        return None
    records = Path(prefix, "conda-meta")
    absent = [
        f"{name} {version}"
        for name, version in python_pins().items()
        if not any(records.glob(f"{name}-{version}-*.json"))
    ]
    if not absent:
        return Path(prefix, "bin", "python")
    if os.environ.get("CONDA_DEFAULT_ENV") == KERNEL_NAME:
        raise Missing(f"the active conda environment lacks {', '.join(absent)}: conda env update -f environment.yml")
    return None


def venv_is_complete() -> bool:
    marker = VENV / "pins.json"
    try:
        return json.loads(marker.read_text()) == python_pins()
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def make_venv() -> None:
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        raise Missing("Python's venv module is missing: sudo apt install python3-venv") from None
    say("installing JupyterLab and its tools into .venv (1 to 2 minutes)")
    if not (VENV / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    pins = python_pins()
    packages = [f"{name}=={version}" for name, version in pins.items()]
    pip = [VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *packages], check=True)
    (VENV / "pins.json").write_text(json.dumps(pins))


# Rust


def ensure_rust_source() -> Path:
    """The source of the standard library, from which evcxr infers the types of variables."""
    given = os.environ.get("RUST_SRC_PATH")
    library = Path(given or Path(output("rustc", "--print", "sysroot").strip(), "lib/rustlib/src/rust/library"))
    if (library / "core").exists():
        return library
    if given or not shutil.which("rustup"):
        raise Missing(f"the standard library's source is missing at {library}: install your Rust's package rust-src")
    say("downloading the source of Rust's standard library (1 to 3 minutes)")
    subprocess.run(["rustup", "component", "add", "rust-src"], check=True)
    return library


def copy_rust_source(library: Path) -> None:
    """Leaves out what no variable's type comes from: processor intrinsics, tests, other crates.

    rust-analyzer reads and expands all that it finds, in every kernel: two thirds of the lines
    are intrinsics, and without them a kernel starts two seconds sooner.
    """
    marker = RUST_SOURCE / "copied-from"
    wanted = f"{library} {output('rustc', '-vV')}"
    if marker.exists() and marker.read_text() == wanted:
        return
    shutil.rmtree(RUST_SOURCE, ignore_errors=True)
    for crate in ("core", "alloc", "std", "proc_macro"):
        ignore = shutil.ignore_patterns("tests", "benches")
        shutil.copytree(library / crate, RUST_SOURCE / crate, ignore=ignore)
    for left_out in ("stdarch/crates/core_arch", "portable-simd/crates/core_simd"):
        module = RUST_SOURCE / left_out / "src" / "mod.rs"
        module.parent.mkdir(parents=True)
        module.write_text("")
    marker.write_text(wanted)


def ensure_evcxr() -> Path:
    """evcxr_jupyter in the version that was tested: from the PATH, or else built here."""
    own = KERNEL / "evcxr" / "bin" / "evcxr_jupyter"
    for candidate in (own, Path(shutil.which("evcxr_jupyter") or own)):
        if candidate.exists() and is_tested_version(candidate):
            return candidate
    say(f"building the Rust kernel, evcxr_jupyter {EVCXR_VERSION} (10 to 15 minutes on two cores, once)")
    build = KERNEL / "evcxr-build"
    command = ["cargo", "install", "--locked", "--quiet", "--root", KERNEL / "evcxr", "--target-dir", build]
    subprocess.run([*command, f"evcxr_jupyter@{EVCXR_VERSION}"], check=True, cwd=KERNEL)
    shutil.rmtree(build)
    return own


def is_tested_version(evcxr: Path) -> bool:
    """Whether cargo's or conda's records say so: the program itself does not tell its version."""
    prefix = evcxr.parent.parent
    with contextlib.suppress(FileNotFoundError):
        records = (prefix / ".crates.toml").read_text()
        if f'"evcxr_jupyter {EVCXR_VERSION} ' in records:
            return True
    return any(prefix.glob(f"conda-meta/evcxr-{EVCXR_VERSION}-*.json"))


# The kernel


def ensure_relay() -> None:
    """The relay in front of evcxr, with the versions that the tests ran with."""
    stamp = RELAY.parents[1] / "stamp"
    wanted = digest(relay_files(), output("rustc", "-vV"))
    if RELAY.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    say("building the relay in front of the Rust kernel (1 to 2 minutes on two cores)")
    install = ["cargo", "install", "--quiet", "--locked", "--force", "--path", ROOT / "relay"]
    subprocess.run([*install, "--root", RELAY.parents[1]], check=True, cwd=ROOT)
    write(stamp, wanted)


def write_kernelspec(evcxr: Path) -> None:
    folder = KERNEL / "share" / "jupyter" / "kernels" / KERNEL_NAME
    spec = {
        "argv": [
            sys.executable,
            "-I",
            str(ROOT / "tools" / "launch_kernel.py"),
            str(evcxr),
            "{connection_file}",
        ],
        "display_name": f"Rust ({KERNEL_NAME})",
        "language": "rust",
        "interrupt_mode": "message",
    }
    write(folder / "kernel.json", json.dumps(spec, indent=1))


def write_cargo_home() -> None:
    """A cargo folder for kernels: the user's own, but for a `cargo` that tells rust-analyzer less.

    rust-analyzer runs the `cargo` of this folder; evcxr itself the one that `write_programs` writes.
    """
    own = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    for folder in ("registry", "git"):
        (own / folder).mkdir(parents=True, exist_ok=True)
    CARGO_HOME.mkdir(exist_ok=True)
    for entry in own.iterdir():
        link = CARGO_HOME / entry.name
        if entry.name != "bin" and not (link.is_symlink() and link.readlink() == entry):
            link.unlink(missing_ok=True)
            link.symlink_to(entry)
    cargo = cargo_program()
    script = f"""#!/bin/sh
PATH="{cargo.parent}:$PATH"
[ "$1" = metadata ] && exec "{sys.executable}" -I "{ROOT}/tools/shallow_metadata.py" "{cargo}" "$@"
exec "{cargo}" "$@"
"""
    write(CARGO_HOME / "bin" / "cargo", script, executable=True)


def write_programs() -> None:
    """What kernels find in their PATH: a `cargo` for evcxr, and the check of `:dep` lines.

    evcxr looks at a `:dep` line by a Cargo.toml that names only that crate, and builds an empty crate as
    it starts. Cargo then takes out of the lock file what those do not need, and would take the newest
    versions of it the next time: so where the project's crate is not named, the lock file stays as it was.
    And where the type of a variable cannot be inferred, evcxr checks the cell: cargo would then build all
    crates once more, for checks, and so it builds the cell instead. What was built last stays beside
    Cargo.toml, which evcxr overwrites to look at a line.
    """
    cargo = cargo_program()
    python = f'"{sys.executable}" -I'
    script = f"""#!/bin/sh
export PATH="{cargo.parent}:$PATH"
# A reader's own call, in a project of their own.
[ . -ef "$EVCXR_TMPDIR" ] || exec "{cargo}" "$@"
if ! grep -qs "^{KERNEL_NAME} *=" Cargo.toml && [ -f Cargo.lock ]; then
    cp Cargo.lock Cargo.lock.kept
    "{cargo}" "$@"
    code=$?
    mv Cargo.lock.kept Cargo.lock
    exit $code
fi
case " $* " in *" build "* | *" check "*) ;; *) exec "{cargo}" "$@" ;; esac
case "$1 $2" in
    "check "*) shift; set -- build "$@" ;;
    "--offline check") shift 2; set -- --offline build "$@" ;;
esac
messages=$(mktemp)
"{cargo}" "$@" > "$messages"
code=$?
if [ $code = 0 ]; then
    cp Cargo.toml Cargo.toml.built
    cat "$messages"
else
    {python} "{ROOT}/tools/compiler_messages.py" < "$messages"
fi
rm -f "$messages"
exit $code
"""
    write(BIN / "cargo", script, executable=True)
    # evcxr asks rustup where cargo is, and takes the first in the PATH where there is no rustup.
    if rustup := shutil.which("rustup"):
        script = f"""#!/bin/sh
[ "$*" = "which cargo" ] && exec echo "{BIN}/cargo"
exec "{rustup}" "$@"
"""
        write(BIN / "rustup", script, executable=True)
    check = f'#!/bin/sh\nexec {python} "{ROOT}/tools/check_dep.py" "$@"\n'
    write(BIN / "check-dep", check, executable=True)


def write_configuration() -> None:
    """A kernel's start-up: it loads the crate while the reader reads, before the first cell."""
    cells = (ROOT / "tools" / "evcxr" / "evcxr.toml").read_text()
    # Spelt as in the notebooks: evcxr does not load a crate again whose line is the same. A `let`
    # with a `?` makes rust-analyzer look at all crates once. To drop the variable again would cost
    # two more seconds, since evcxr compiles a cell that moves a variable twice. What the macros are
    # for, src/notebook/cell.rs says.
    prelude = f'''
:dep energy-discrepancy = {{ path = "{ROOT}", features = {json.dumps(FEATURES)} }}
use energy_discrepancy::{{eprintln, print, println}};
let _loaded: bool = "true".parse()?;
'''
    write(WARM_CONFIG / "evcxr.toml", f"{cells}prelude = '''{prelude}'''\n")


def write_lab_settings() -> None:
    """JupyterLab's defaults for this project: no question about news on top of the notebook."""
    settings = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
    write(LAB_CONFIG / "labconfig" / "default_setting_overrides.json", json.dumps(settings, indent=1))


def write_pool() -> None:
    """Cargo's settings for all build folders: what a cell uses is optimised, the cell is not."""
    optimised = "opt-level = 3\ndebug-assertions = false\noverflow-checks = false"
    write(POOL / ".cargo" / "config.toml", f'[profile.dev.package."*"]\n{optimised}\n')


def ensure_template(python: Path, evcxr: Path) -> None:
    """Builds the crate as notebooks use it, so that their first cell need not."""
    stamp = TEMPLATE / "stamp"
    wanted = fingerprint(evcxr)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    minutes = "half a minute" if stamp.exists() else "2 to 3 minutes on two cores"
    say(f"building the crate for notebooks ({minutes})")
    start = time.monotonic()
    with locked(POOL / "template.lock"):
        stamp.unlink(missing_ok=True)
        TEMPLATE.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"JUPYTER_PATH": str(KERNEL / "share" / "jupyter")}
        subprocess.run([python, ROOT / "tools" / "build_template.py"], check=True, env=environment)
        stamp.write_text(wanted)
    say(f"done in {time.monotonic() - start:.0f} s")


def fingerprint(evcxr: Path) -> str:
    files = [*source_files(), POOL / ".cargo" / "config.toml", ROOT / "tools" / "launch_kernel.py", BIN / "cargo"]
    return digest(files, f"{output('rustc', '-vV')}{evcxr}{FEATURES}")


def digest(files: list[Path], text: str) -> str:
    """What changes with the files' names and contents, and with the text."""
    digest = hashlib.sha256(text.encode())
    for path in files:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
