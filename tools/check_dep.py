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
"""Crates by cargo's ids, and the features that are asked of them."""


def main(lines: str) -> None:
    folder = Path(os.environ["EVCXR_TMPDIR"])
    built = folder / "Cargo.toml.built"
    if not built.exists():
        return
    manifest = built.read_text()
    head, _, text = manifest.partition("[dependencies]\n")
    known = dict(parse(line) for line in text.splitlines() if "=" in line)
    # A name alone is what it was, or any version.
    wanted = dict(parse(line) for line in lines.splitlines())
    wanted = {name: value or known.get(name, '"*"') for name, value in wanted.items()}
    if all(known.get(name) == value for name, value in wanted.items()):
        return
    before = resolve(folder, manifest)
    merged = known | wanted
    after = resolve(folder, head + "[dependencies]\n" + "".join(f"{name} = {value}\n" for name, value in merged.items()))
    # What cannot be resolved evcxr tells better.
    if before and after and (changed := sorted(id for id in after if after[id] != before.get(id))):
        names = sorted({name_of(id) for id in changed})
        listed = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        print(
            f"{' and '.join(wanted)}: asks more of crates that the kernel has loaded ({listed}). They are built anew, "
            "which takes some minutes, and the variables of all cells are lost."
        )


def parse(line: str) -> tuple[str, str]:
    """Name and value, as evcxr reads the line: a folder is the crate in it, and paths start at the notebook."""
    line = line.strip().removeprefix(":dep ").strip()
    if line.startswith((".", "/")) and "=" not in line:
        folder = Path.cwd() / line
        found = re.search(r'^name *= *"([^"]+)"', (folder / "Cargo.toml").read_text(), re.MULTILINE)
        return found[1], f'{{ path = "{folder.resolve()}" }}'
    name, _, value = line.partition("=")
    path = re.compile(r"""(path *= *["'])([^"'/][^"']*)(["'])""")
    value = path.sub(lambda found: found[1] + str(Path(found[2]).resolve()) + found[3], value.strip())
    return name.strip(), value


def name_of(id: str) -> str:
    """`path+file:///folder/name#0.1.0`, `registry+...#name@1.0.0`."""
    place, _, end = id.partition("#")
    return end.partition("@")[0] if "@" in end else place.rpartition("/")[2]


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
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    edge = {package["id"] for package in metadata["packages"] if package["name"] == KERNEL_NAME}
    found: set[str] = set()
    while edge:
        found |= edge
        edges = [dependency for id in edge for dependency in nodes[id]["deps"]]
        edge = {each["pkg"] for each in edges if any(kind["kind"] != "dev" for kind in each["dep_kinds"])} - found
    return {id: frozenset(nodes[id]["features"]) for id in found}


if __name__ == "__main__":
    main(sys.argv[1])
