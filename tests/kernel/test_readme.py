"""The README's cells, run one after the other in a real kernel."""

import json
import re

from conftest import ROOT

README = (ROOT / "README.md").read_text()
CELLS = re.findall(r"^```rust\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
PRELUDE = (ROOT / "src" / "prelude.rs").read_text()


def shown(kernel, cell):
    # Here the crate lies elsewhere, and a long run need not be one.
    reply = kernel.run(cell.replace('".."', f'"{ROOT}"').replace("50_001", "301"))
    assert reply.status == "ok" and not reply.stderr, (cell, reply)
    return reply.data.get("text/plain", "")


def test_the_cells_run_in_their_order_and_go_on_in_another_kernel(fresh_kernel, tmp_path):
    rows = [f"{160 + i % 40},{50 + i % 37},{i}" for i in range(300)]
    (tmp_path / "points.csv").write_text("height,weight,age\n" + "\n".join(rows))
    kernel = fresh_kernel(cwd=tmp_path)
    first, build, fit, safe, save, own, evaluate = CELLS
    shown(kernel, first)
    shown(kernel, build)
    assert shown(kernel, fit) == "finished after 301 steps"
    assert shown(kernel, safe) == "finished after 2000 steps"
    shown(kernel, save)
    assert shown(kernel, own) == "finished after 2000 steps"
    shown(kernel, evaluate)
    results = tmp_path / "results"
    assert {path.name for path in results.iterdir()} == {"results.json", "ed.csv", "losses.png", "losses.svg"}
    assert len(json.loads((results / "results.json").read_text())["ed"]["loss"]) == 301
    assert (results / "ed.csv").read_text().startswith("step,loss,mse\n0,")
    assert (tmp_path / "energy.safetensors").stat().st_size > 100_000

    other = fresh_kernel(cwd=tmp_path)
    shown(other, first)
    shown(other, build)
    go_on = safe.replace("// safe.resume", "safe.resume").replace("steps(2000)", "steps(2500)")
    assert go_on != safe
    assert shown(other, go_on) == "finished after 2500 steps"
    assert shown(other, "safe.history().losses().len()") == "2500"


def test_the_table_names_all_of_the_prelude():
    table = README.split("### What a cell has at hand")[1].split("\n## ")[0]
    names = set(re.findall(r"`(?:notebook::)?(\w+)`", table))
    imported = re.findall(r"pub use [\w:]+?(?:::\{([^}]*)\}|::(\w+));", PRELUDE)
    expected = {name.strip() for pair in imported for name in ",".join(pair).split(",") if name.strip()}
    assert names - {"start"} == expected - {"self", "notebook"}
