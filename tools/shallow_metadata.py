"""`cargo metadata` for rust-analyzer, without the dependencies' dependencies.

evcxr asks the rust-analyzer that is built into it for the types of a cell's variables. That one
reads every crate which `cargo metadata` names, and looks through each for trait implementations:
ten seconds in every kernel for some ninety crates. A variable's type comes from a crate that a
cell names, or from one that it re-exports, so those are all that it is told of here; a path crate's
optional dependencies are there for their features alone. Compiling is not affected.

Usage: shallow_metadata.py CARGO metadata ... (from the `cargo` that set-up writes)
"""

import json
import subprocess
import sys

DEPTH = 2
"""The cell's crate, what it names in `:dep`, and what those name in their Cargo.toml."""


def shallow(metadata: dict) -> dict:
    resolve = metadata.get("resolve")
    if not resolve:
        return metadata
    nodes = {node["id"]: node for node in resolve["nodes"]}
    optional = {package["id"]: optional_names(package) for package in metadata["packages"]}
    kept = set(metadata["workspace_members"])
    edge = set(kept)
    for _ in range(DEPTH):
        edges = [(node, dependency) for node in edge for dependency in nodes[node]["deps"]]
        edge = {dependency["pkg"] for node, dependency in edges if dependency["name"] not in optional[node]} - kept
        kept |= edge
    for node in nodes.values():
        node["dependencies"] = [each for each in node["dependencies"] if each in kept]
        node["deps"] = [each for each in node["deps"] if each["pkg"] in kept]
    resolve["nodes"] = [node for node in resolve["nodes"] if node["id"] in kept]
    metadata["packages"] = [package for package in metadata["packages"] if package["id"] in kept]
    return metadata


def optional_names(package: dict) -> set[str]:
    """The optional dependencies of a path crate, as its code would call them."""
    if package["source"]:
        return set()
    names = [each["rename"] or each["name"] for each in package["dependencies"] if each["optional"]]
    return {name.replace("-", "_") for name in names}


def main() -> int:
    cargo = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
    answer = cargo.stdout
    if cargo.returncode == 0:
        answer = json.dumps(shallow(json.loads(answer))).encode()
    sys.stdout.buffer.write(answer)
    return cargo.returncode


if __name__ == "__main__":
    sys.exit(main())
