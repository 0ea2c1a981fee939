"""The notebooks as a reader opens them: Run All, and a page that needs no kernel."""

import json
import subprocess

import pytest
from conftest import KERNEL, ROOT, SHOTS, choose, open_notebook, save, status

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FAILS = {"error", "stderr"}


def copy(path, folder):
    """The notebook without its outputs, where saving it changes no file of ours."""
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        for place in ('path = ".."', '"../tests/mnist"', '"../data/mnist"'):
            there = place.replace("..", str(ROOT))
            text = text.replace(place, there)
        cell["source"] = text.replace('"../target', f'"{folder}/target')
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    copied = folder / path.name
    copied.write_text(json.dumps(notebook))
    return copied


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_shows_every_figure(path, lab, page, tmp_path):
    notebook = copy(path, tmp_path)
    open_notebook(page, lab, notebook.name)
    choose(page, "Run", "Run All Cells")
    page.wait_for_timeout(1000)
    count = sum(cell["cell_type"] == "code" for cell in json.loads(notebook.read_text())["cells"])
    for _ in range(1200):
        page.wait_for_timeout(500)
        if status(page) == "idle" and save(page, notebook)["cells"][-1].get("execution_count") == count:
            break
    cells = [cell for cell in save(page, notebook)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, count + 1))
    for cell in cells:
        kinds = {output.get("name") or output["output_type"] for output in cell["outputs"]}
        assert not kinds & FAILS, (cell["source"], cell["outputs"])
        if "figure" in cell["metadata"].get("tags", []):
            assert any("image/png" in output.get("data", {}) for output in cell["outputs"]), cell["source"]
    assert page.get_by_text("Jupyter news").count() == 0, "JupyterLab asks on top of the notebook"
    page.screenshot(path=SHOTS / f"{path.stem}-run.png")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_figures_show_in_a_static_page(path, page, tmp_path):
    command = [KERNEL / "python", "-m", "nbconvert", "--to", "html", "--output-dir", tmp_path, path]
    subprocess.run(command, check=True, capture_output=True)
    page.goto(f"file://{tmp_path / path.stem}.html", wait_until="domcontentloaded")
    page.wait_for_timeout(1000)
    widths = page.evaluate("() => [...document.images].map(image => image.naturalWidth)")
    stored = [output for cell in json.loads(path.read_text())["cells"] for output in cell.get("outputs", [])]
    figures = sum("image/png" in output.get("data", {}) for output in stored)
    # The headline stands above all of them once more.
    assert len(widths) == figures + 1 and all(width > 100 for width in widths), widths
    page.screenshot(path=SHOTS / f"{path.stem}-static.png")
