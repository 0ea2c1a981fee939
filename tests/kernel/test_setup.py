"""Set-up: one list of packages, nothing done twice, a clear line for what is missing."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time

from conftest import KERNEL, ROOT
from layout import EVCXR_VERSION, python_pins

TOOLS = ROOT / "tools"


def set_up(**environment):
    command = [sys.executable, TOOLS / "setup.py"]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=300)


def test_the_environment_has_the_pinned_versions():
    pins = python_pins()
    assert len(pins) >= 6
    assert {name: importlib.metadata.version(name) for name in pins} == pins


def test_every_line_of_the_environment_is_a_pin_or_a_conda_package():
    lines = (ROOT / "environment.yml").read_text().split("dependencies:")[1].split()
    names = [line for line in lines if line != "-"]
    assert all("=" in name for name in names)
    assert {name.split(">=")[0] for name in names if ">=" in name} >= {"python", "rust", "rust-src", "evcxr"}
    assert {name.split("=")[0] for name in names if ">=" not in name} == set(python_pins())


def test_the_second_set_up_takes_seconds_and_says_nothing():
    set_up()
    started = time.monotonic()
    result = set_up()
    assert result.returncode == 0 and result.stdout == "", result
    assert time.monotonic() - started < 10


def test_a_missing_prerequisite_is_one_line_with_the_command(tmp_path):
    (tmp_path / "bin").mkdir()
    result = set_up(PATH=str(tmp_path / "bin"))
    assert result.returncode == 1
    assert result.stderr.strip() == "set-up: Rust is missing: install rustup as https://rustup.rs says"
    for tool in ("cargo", "rustc"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    result = set_up(PATH=str(tmp_path / "bin"), CC="")
    assert result.stderr.strip() == "set-up: a C compiler is missing: sudo apt install gcc libc6-dev"


def elsewhere(folder, code="setup.main()"):
    """Set-up in a checkout at this path, or a part of it."""
    shutil.copytree(TOOLS, folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "environment.yml", folder)
    command = [sys.executable, "-c", f"import setup; {code}"]
    return subprocess.run(command, cwd=folder / "tools", capture_output=True, text=True, timeout=60)


def test_a_path_that_evcxr_cannot_work_with_is_one_line(tmp_path):
    for name, sign in {"my work": "' '", "it's": '"\'"', "a:b": "':'", 'say "a"': "' '"}.items():
        result = elsewhere(tmp_path / name)
        assert result.returncode == 1 and result.stderr.count("\n") == 1, result
        assert result.stderr.startswith(f"set-up: the path of this folder holds {sign}"), result.stderr
        assert "move the folder" in result.stderr


def test_in_a_folder_that_was_moved_what_names_its_path_is_made_again(tmp_path):
    for folder in (".venv", ".kernel/pool", ".kernel/evcxr"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".kernel" / "place").write_text("where/it/was")
    result = elsewhere(tmp_path, "setup.check_place()")
    assert result.returncode == 0 and "was moved" in result.stdout, result
    assert not (tmp_path / ".venv").exists() and not (tmp_path / ".kernel" / "pool").exists()
    assert (tmp_path / ".kernel" / "evcxr").exists()
    shutil.rmtree(tmp_path / "tools")
    assert elsewhere(tmp_path, "setup.check_place()").stdout == ""


def test_a_disk_that_is_full_is_one_line(tmp_path):
    code = "setup.write = lambda *_, **__: (_ for _ in ()).throw(OSError(28, 'No space left on device')); setup.main()"
    result = elsewhere(tmp_path, code)
    assert result.returncode == 1 and result.stderr == "set-up: [Errno 28] No space left on device\n", result


def test_an_active_conda_environment_is_used(tmp_path):
    # A stand-in with conda's records of all packages, and this Python.
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    for name, version in python_pins().items():
        (tmp_path / "conda-meta" / f"{name}-{version}-py_0.json").write_text("{}")
    launcher = KERNEL / "python"
    before = launcher.read_text()
    try:
        result = set_up(CONDA_PREFIX=str(tmp_path))
        assert result.returncode == 0, result
        assert str(tmp_path / "bin" / "python") in launcher.read_text()
        next((tmp_path / "conda-meta").glob("nbclient-*")).unlink()
        result = set_up(CONDA_PREFIX=str(tmp_path), CONDA_DEFAULT_ENV="energy-discrepancy")
        assert "lacks nbclient" in result.stderr and "conda env update" in result.stderr
        set_up(CONDA_PREFIX=str(tmp_path), CONDA_DEFAULT_ENV="base")
        assert ".venv" in launcher.read_text()
    finally:
        set_up()
        assert launcher.read_text() == before


def test_the_kernelspec_is_the_project_s_own():
    spec = json.loads((KERNEL / "share/jupyter/kernels/energy-discrepancy/kernel.json").read_text())
    assert spec["display_name"] == "Rust (energy-discrepancy)"
    assert spec["interrupt_mode"] == "message"


def test_notebooks_see_the_versions_that_the_tests_ran_with():
    def versions(lock):
        packages = lock.read_text().split("[[package]]")[1:]
        fields = [dict(line.split(" = ") for line in package.splitlines() if " = " in line) for package in packages]
        return {(field["name"], field["version"]) for field in fields if "source" in field}

    folders = list((KERNEL / "pool").glob("*/Cargo.lock"))
    assert folders
    for lock in folders:
        used = versions(lock)
        assert used and used <= versions(ROOT / "Cargo.lock"), lock


def test_evcxr_s_version_stands_once():
    users = [path for path in TOOLS.glob("*.py") if EVCXR_VERSION in path.read_text()]
    assert [path.name for path in users] == ["layout.py"]
