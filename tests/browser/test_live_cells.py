"""Live cells: a bar and a curve that move while a cell runs."""

import time

from conftest import FIRST_CELL, SHOTS, choose, open_notebook, save, write_notebook

CELLS = [
    FIRST_CELL,
    "let mut run = Trainer::new(Mlp::softplus(&[2, 128, 128, 1], 0)?, EnergyDiscrepancy::with_std(1.0)).steps(20_000);",
    "run.fit(&toy::gaussians_25())?",
]
SEEN = """() => ({
    status: document.querySelector('.jp-Notebook-ExecutionIndicator')?.getAttribute('data-status'),
    bars: [...document.querySelectorAll('.jp-OutputArea progress')].map(bar => bar.value),
    pictures: [...document.querySelectorAll('.jp-OutputArea img')].map(image => image.src),
})"""


def test_bar_and_curve_move_while_the_cell_runs_and_stay_after_save_and_reload(lab, page, tmp_path):
    notebook = tmp_path / "live.ipynb"
    write_notebook(notebook, CELLS)
    open_notebook(page, lab, "live.ipynb")
    page.screenshot(path=SHOTS / "open.png")
    choose(page, "Run", "Run All Cells")
    bars, pictures = [], []
    end = time.monotonic() + 180
    while time.monotonic() < end:
        seen = page.evaluate(SEEN)
        for state in seen["bars"]:
            if state not in bars:
                bars.append(state)
        for state in seen["pictures"]:
            if state not in pictures:
                pictures.append(state)
                page.screenshot(path=SHOTS / f"running-{len(pictures)}.png")
        if seen["status"] == "idle" and pictures and not seen["bars"]:
            break
        time.sleep(0.1)
    page.screenshot(path=SHOTS / "ended.png")
    print(f"{len(bars)} states of the bar, {len(pictures)} of the curve")
    assert len(bars) >= 5 and bars == sorted(bars), bars
    assert len(pictures) >= 5

    cells = save(page, notebook)["cells"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    kinds = [sorted(output["data"]) for output in outputs]
    assert kinds == [["text/html", "text/plain"], ["image/png", "text/plain"], ["text/plain"]], kinds
    html = "".join(outputs[0]["data"]["text/html"])
    assert "<progress" not in html and "in all" in html, html
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3]

    page.reload()
    page.wait_for_selector(".jp-OutputArea img")
    page.wait_for_timeout(1000)
    seen = page.evaluate(SEEN)
    assert not seen["bars"] and seen["pictures"] == [pictures[-1]]
    assert "20\u00a0000 / 20\u00a0000" in page.locator(".jp-OutputArea").all_inner_texts()[-1]
    page.screenshot(path=SHOTS / "reloaded.png")
