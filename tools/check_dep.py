"""Says what a cell's `:dep` lines would cost, before they are compiled: the relay asks.

Usage: check_dep.py LINES (in the notebook's folder, with EVCXR_TMPDIR; set-up writes the call)

Cargo builds each crate once, with all the features that anybody asks of it. A line that asks more of
a crate which the project's crate uses too, or another version of it, has the project's crate built
anew, and the process that has loaded the old one cannot load cells of the new one. Then this prints
one line for the reader, and the relay starts the process anew. Prints nothing where all is as it was.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from layout import KERNEL_NAME, cargo_program

Resolved = dict[str, frozenset[str]]
"""Crates with their versions, and the features that are asked of them."""


def main(lines: str) -> None:
    folder = Path(os.environ["EVCXR_TMPDIR"])
    manifest = (folder / "Cargo.toml").read_text()
    head, _, known = manifest.partition("[dependencies]\n")
    wanted = {name: value for name, value in map(parse, lines.splitlines()) if name}
    kept = [line for line in known.splitlines() if line.partition("=")[0].strip() not in wanted]
    added = [f"{name} = {value}" for name, value in wanted.items()]
    if set(kept + added) == set(known.splitlines()):
        return
    before = resolve(folder, manifest)
    after = resolve(folder, head + "[dependencies]\n" + "\n".join(kept + added) + "\n")
    # What cannot be resolved evcxr tells better.
    if before and after and (changed := sorted(name for name in after if after[name] != before.get(name))):
        names = ", ".join(name.partition("@")[0] for name in changed[:4]) + (", ..." if len(changed) > 4 else "")
        print(
            f"{' and '.join(wanted)}: asks more of crates that the kernel has loaded ({names}). They are built anew, "
            "which takes some minutes, and the variables of all cells are lost."
        )


def parse(line: str) -> tuple[str, str]:
    """Name and value, as evcxr reads the line: a bare name is any version, paths start at the notebook."""
    name, _, value = line.strip().removeprefix(":dep ").partition("=")
    path = re.compile(r'(path *= *")([^"]+)(")')
    value = path.sub(lambda found: found[1] + str(Path(found[2]).resolve()) + found[3], value.strip())
    return name.strip(), value or '"*"'


def resolve(folder: Path, manifest: str) -> Resolved:
    """All that the project's crate is built from; nothing where this cannot be known."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        shutil.copy(folder / "Cargo.lock", scratch)
        Path(scratch, "Cargo.toml").write_text(manifest)
        Path(scratch, "src").mkdir()
        Path(scratch, "src", "lib.rs").touch()
        host = re.search(r"host: (.*)", output("rustc", "-vV", cwd=scratch))
        platform = [f"--filter-platform={host[1]}"] if host else []
        text = output(cargo_program(), "metadata", "--format-version=1", *platform, cwd=scratch)
    return closure(json.loads(text)) if text else {}


def output(*command, cwd) -> str:
    result = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    return result.stdout if result.returncode == 0 else ""


def closure(metadata: dict) -> Resolved:
    names = {package["id"]: f"{package['name']}@{package['version']}" for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    edge = {id for id in nodes if names[id].partition("@")[0] == KERNEL_NAME}
    found: set[str] = set()
    while edge:
        found |= edge
        edges = [dependency for id in edge for dependency in nodes[id]["deps"]]
        edge = {each["pkg"] for each in edges if any(kind["kind"] != "dev" for kind in each["dep_kinds"])} - found
    return {names[id]: frozenset(nodes[id]["features"]) for id in found}


if __name__ == "__main__":
    main(sys.argv[1])
