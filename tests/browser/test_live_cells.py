"""Live cells in a real JupyterLab, in headless Chromium. Screenshots go to target/browser."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / ".kernel"
SHOTS = ROOT / "target" / "browser"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
# Headless, as root in a container too, and silent towards the network.
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
CELLS = [
    f':dep energy-discrepancy = {{ path = "{ROOT}" }}\n'
    "use energy_discrepancy::prelude::*;\nlet preset = notebook::start(Preset::Smoke)?;",
    "let mut run = Trainer::new(Mlp::softplus(&[2, 128, 128, 1], 0)?, EnergyDiscrepancy::with_std(1.0)).steps(20_000);",
    "run.fit(&toy::gaussians_25())?",
]
STATUS = ".jp-Notebook-ExecutionIndicator"
SEEN = """() => ({
    status: document.querySelector('.jp-Notebook-ExecutionIndicator')?.getAttribute('data-status'),
    bars: [...document.querySelectorAll('.jp-OutputArea progress')].map(bar => bar.value),
    pictures: [...document.querySelectorAll('.jp-OutputArea img')].map(image => image.src),
})"""


@pytest.fixture
def notebook(tmp_path):
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": None, "outputs": [], "source": cell}
        for n, cell in enumerate(CELLS)
    ]
    spec = {"name": "energy-discrepancy", "display_name": "Rust (energy-discrepancy)", "language": "rust"}
    path = tmp_path / "live.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture
def lab(notebook):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", "--allow-root", "--IdentityProvider.token=", f"--ServerApp.port={port}"]
    environment = os.environ | {"JUPYTER_PATH": str(KERNEL / "share" / "jupyter")}
    server = subprocess.Popen(
        [KERNEL / "python", "-m", "jupyterlab", *options], cwd=notebook.parent, env=environment, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{url}/api", timeout=1)
            break
        except OSError:
            time.sleep(0.2)
    yield url
    server.terminate()
    server.wait(timeout=30)


@pytest.fixture
def page():
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={"width": 1200, "height": 900})
        browser.close()


def wait_until_idle(page, seconds):
    page.wait_for_function(
        f"() => document.querySelector('{STATUS}')?.getAttribute('data-status') === 'idle'", timeout=1e3 * seconds
    )


def choose(page, menu, item):
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{menu}$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}$")).click()


def test_bar_and_curve_move_while_the_cell_runs_and_stay_after_save_and_reload(lab, notebook, page):
    page.goto(f"{lab}/lab/tree/live.ipynb")
    page.wait_for_selector(".jp-Notebook")
    wait_until_idle(page, 120)
    page.wait_for_timeout(2000)
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

    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    outputs = [output for cell in json.loads(notebook.read_text())["cells"] for output in cell["outputs"]]
    kinds = [sorted(output["data"]) for output in outputs]
    assert kinds == [["text/html", "text/plain"], ["image/png", "text/plain"], ["text/plain"]], kinds
    html = "".join(outputs[0]["data"]["text/html"])
    assert "<progress" not in html and "in all" in html, html
    counts = [cell["execution_count"] for cell in json.loads(notebook.read_text())["cells"]]
    assert counts == [1, 2, 3]

    page.reload()
    page.wait_for_selector(".jp-OutputArea img")
    page.wait_for_timeout(1000)
    seen = page.evaluate(SEEN)
    assert not seen["bars"] and seen["pictures"] == [pictures[-1]]
    assert "20\u00a0000 / 20\u00a0000" in page.locator(".jp-OutputArea").all_inner_texts()[-1]
    page.screenshot(path=SHOTS / "reloaded.png")
