"""The cells of the READMEs, run one after the other in a real kernel."""

import json
import math
import re
import time

from conftest import ROOT

README = (ROOT / "README.md").read_text()


def cells(text):
    return re.findall(r"^```rust\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


CELLS = cells(README)
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
    first, build, fit, safe, save, own, expression, evaluate = CELLS
    shown(kernel, first)
    shown(kernel, build)
    assert shown(kernel, fit) == "finished after 301 steps"
    assert shown(kernel, safe) == "finished after 2000 steps"
    shown(kernel, save)
    assert re.match(r"(finished|stopped) after \d+ steps", shown(kernel, own))
    assert shown(kernel, expression) == "finished after 500 steps"
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


def test_another_project_has_the_notebook_package_alone(fresh_kernel, tmp_path):
    (cell,) = cells((ROOT / "notebook" / "README.md").read_text())
    kernel = fresh_kernel(cwd=tmp_path)
    reply = kernel.run(cell.replace("/path/to/notebook", str(ROOT / "notebook")))
    assert reply.status == "ok" and not reply.stderr, reply
    sums = [content["data"]["text/plain"] for kind, content in reply.messages if kind == "execute_result"]
    exact = math.fsum(math.sin(step) for step in range(1000))
    assert math.isclose(float(sums[-1]), exact, rel_tol=1e-9)
    bars = [content for kind, content in reply.messages if kind in ("display_data", "update_display_data")]
    assert f"sum {exact:.3f}" in bars[-1]["data"]["text/plain"], bars

    request = kernel.send("""
let mut steps = 0;
let stop = StopButton::watch();
while !stop.pressed() && steps < 100_000 {
    std::thread::sleep(std::time::Duration::from_millis(1));
    steps += 1;
}
steps < 100_000""")
    time.sleep(5)
    kernel.interrupt()
    assert kernel.finish(request).data["text/plain"] == "true"
    assert int(kernel.run("steps").data["text/plain"]) > 0

    failed = kernel.run('"fast".parse::<f64>()?;')
    assert failed.status == "error" and "invalid float literal" in failed.errors[0], failed
