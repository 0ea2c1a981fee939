"""Crates of a reader's own, by `:dep`, beside the project's in a running kernel."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FIRST_CELL, KERNEL, ROOT
from layout import BIN, KERNEL_NAME, TEMPLATE, crate_files

TOOLS = ROOT / "tools"
NET = "let net = Mlp::silu(&[1, 4, 1], 0)?;"


def environment(kernel) -> dict:
    text = Path(f"/proc/{kernel.manager.provisioner.pid}/environ").read_bytes()
    return dict(line.split("=", 1) for line in text.decode().split("\0") if "=" in line)


def versions(lock: Path) -> dict:
    packages = lock.read_text().split("[[package]]")[1:]
    fields = [dict(line.split(" = ") for line in package.splitlines() if " = " in line) for package in packages]
    return {(field["name"], field["version"]) for field in fields}


def test_crates_of_one_s_own_come_into_a_running_kernel(fresh_kernel):
    kernel = fresh_kernel()
    kernel.begin()
    assert kernel.run(NET).status == "ok"
    cells = {
        ':dep serde_json = "1"\nprintln!("{}", serde_json::json!([1]));': "[1]\n",
        ':dep itertools = "0.14"\nuse itertools::Itertools;\nprintln!("{}", (0..3).join("-"));': "0-1-2\n",
        ':dep rand = "*"\nprintln!("{}", rand::random::<f64>() < 1.0);': "true\n",
        ':dep itoa = "1"\nprintln!("{}", itoa::Buffer::new().format(42));': "42\n",
    }
    for cell, printed in cells.items():
        reply = kernel.run(cell)
        assert (reply.status, reply.stdout) == ("ok", printed), reply
    assert kernel.run("net.widths().to_vec()").data["text/plain"] == "[1, 4, 1]"
    folder = Path(environment(kernel)["EVCXR_TMPDIR"])
    assert crate_files(folder) == crate_files(TEMPLATE), "the crate was built anew"
    tested, used = versions(ROOT / "Cargo.lock"), versions(folder / "Cargo.lock")
    assert {name for name, _ in used - tested} == {'"ctx"', '"itertools"'}


def test_a_crate_beside_the_project_s_in_the_first_cell(fresh_kernel):
    kernel = fresh_kernel()
    reply = kernel.run(':dep itoa = "1"\n' + FIRST_CELL + 'println!("{}", itoa::Buffer::new().format(7));')
    assert (reply.status, reply.stdout) == ("ok", "7\n"), reply


@pytest.mark.parametrize("line", [':dep no_such_crate_of_any_name = "1"', ':dep itoa = "99"', ':dep itoa = { path = "no" }'])
def test_a_crate_that_cannot_be_had_is_one_error_and_later_cells_work(kernel, line):
    assert kernel.run("let kept: i32 = 3;").status == "ok"
    reply = kernel.run(f"{line}\n1")
    assert reply.status == "error" and len(reply.errors) == 1, reply
    # evcxr has left a Cargo.toml behind that knows no other crate.
    folder = Path(environment(kernel)["EVCXR_TMPDIR"])
    assert "asks more" in check(folder, ':dep serde = { version = "1", features = ["rc"] }')
    assert kernel.run("kept").data["text/plain"] == "3"


def test_the_crate_s_line_works_in_any_folder(fresh_kernel, tmp_path):
    reply = fresh_kernel(cwd=tmp_path).run(FIRST_CELL)
    assert reply.status == "ok", reply


def test_the_versions_stay_whatever_a_crate_is_looked_up_by(tmp_path):
    """A newer version of an indirect crate, as if it had been published since: the lock file is behind."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "lib.rs").touch()
    lock = (ROOT / "Cargo.lock").read_text()
    newest = next(package for package in lock.split("[[package]]\n") if 'name = "itoa"' in package)
    behind = newest.splitlines()
    behind[1] = 'version = "1.0.14"'
    behind[3] = 'checksum = "d75a2a4b1b190afb6f5425f10f6a8f959d2ea0b9c2b1d79553551850539e4674"'
    assert newest.splitlines()[1] != behind[1]
    (tmp_path / "Cargo.lock").write_text(lock.replace(newest.strip(), "\n".join(behind).strip()))
    head = '[package]\nname = "{}"\nversion = "1.0.0"\nedition = "2024"\n[lib]\npath = "src/lib.rs"\n[dependencies]\n'

    def cargo(name, dependencies):
        (tmp_path / "Cargo.toml").write_text(head.format(name) + dependencies)
        command = [BIN / "cargo", "metadata", "--format-version=1"]
        of_kernel = os.environ | {"EVCXR_TMPDIR": str(tmp_path)}
        result = subprocess.run(command, cwd=tmp_path, env=of_kernel, capture_output=True, text=True, check=True)
        return {package["name"]: package["version"] for package in json.loads(result.stdout)["packages"]}

    crate = f'{KERNEL_NAME} = {{ path = "{ROOT}" }}\n'
    assert cargo("ctx", crate)["itoa"] == "1.0.14"
    cargo("evcxr_dummy_validate_dep", 'csv = "1"\n')
    cargo("ctx", "")
    assert cargo("ctx", crate + 'csv = "1"\n')["itoa"] == "1.0.14"


def test_a_reader_s_own_cargo_calls_are_cargo_s(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "lib.rs").touch()
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "mine"\nversion = "1.0.0"\n')
    (tmp_path / "Cargo.lock").write_text("version = 4\n")
    elsewhere = os.environ | {"EVCXR_TMPDIR": str(TEMPLATE)}
    subprocess.run([BIN / "cargo", "check", "--quiet"], cwd=tmp_path, env=elsewhere, check=True)
    assert "mine" in (tmp_path / "Cargo.lock").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"Cargo.lock", "Cargo.toml", "src", "target"}


def check(folder: Path, lines: str) -> str:
    command = [BIN / "check-dep", lines]
    environment = os.environ | {"EVCXR_TMPDIR": str(folder)}
    return subprocess.run(command, env=environment, cwd=ROOT / "notebooks", capture_output=True, text=True, check=True).stdout


def test_what_a_line_costs_is_told_before(tmp_path):
    for name in ("Cargo.toml.built", "Cargo.lock"):
        shutil.copy(TEMPLATE / name, tmp_path)
    for free in (':dep itertools = "0.14"', ':dep csv = "=1.4.0"\n:dep serde_json = "1"', ":dep rand", ':dep nowhere_to_be_had = "1"'):
        assert check(tmp_path, free) == "", free
    assert check(tmp_path, ':dep energy-discrepancy = { path = "..", features = ["notebook"] }') == ""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "Cargo.toml").write_text('[package]\nname = "own"\nversion = "1.0.0"\n')
    (tmp_path / "own" / "src").mkdir()
    (tmp_path / "own" / "src" / "lib.rs").touch()
    assert check(tmp_path, f":dep {tmp_path}/own\n:dep serde") == ""
    with (tmp_path / "own" / "Cargo.toml").open("a") as manifest:
        manifest.write('[dependencies]\nserde = { version = "1", features = ["rc"] }\n')
    assert check(tmp_path, f":dep {tmp_path}/own").startswith("own: asks more of crates")
    costly = check(tmp_path, ':dep serde = { version = "1", features = ["rc"] }')
    assert costly.count("\n") == 1 and costly.startswith("serde: asks more of crates"), costly
    assert "(serde, serde_core)" in costly and "the variables of all cells are lost" in costly


def test_a_folder_whose_crate_is_another_is_copied_anew(fresh_kernel):
    kernel = fresh_kernel()
    folder = Path(environment(kernel)["EVCXR_TMPDIR"])
    kernel.close()
    library = next((folder / "target").glob("*/debug/deps/libenergy_discrepancy*.so"))
    os.utime(library, (0, 0))
    kernel = fresh_kernel()
    assert Path(environment(kernel)["EVCXR_TMPDIR"]) == folder
    assert crate_files(folder) == crate_files(TEMPLATE)
    assert kernel.begin().seconds < 30


def test_a_failed_compilation_tells_what_libraries_say_and_no_warnings():
    def message(level, text, *notes):
        children = [{"level": "note", "spans": [], "message": note} for note in notes]
        return json.dumps({"message": {"level": level, "message": text, "spans": [], "children": children}})

    lines = [
        message("error", "no derivatives", "`Mlp` has them", "required for `X` to implement `Y`"),
        message("warning", "unused variable"),
        json.dumps({"reason": "build-finished", "success": False}),
        "no JSON",
    ]
    command = [sys.executable, TOOLS / "compiler_messages.py"]
    result = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    error, finished, other = result.stdout.splitlines()
    assert json.loads(error)["message"]["message"] == "no derivatives\n`Mlp` has them"
    assert (finished, other) == (lines[2], lines[3])


def test_no_place_is_left_behind():
    assert not list((KERNEL / "pool").glob("*/tmp*")), "scratch folders of the check"

