"""A real JupyterLab in headless Chromium. Screenshots go to target/browser."""

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
FIRST_CELL = (
    f':dep energy-discrepancy = {{ path = "{ROOT}" }}\n'
    "use energy_discrepancy::prelude::*;\nlet preset = notebook::start(Preset::Smoke)?;"
)
STATUS = ".jp-Notebook-ExecutionIndicator"


def write_notebook(path: Path, cells: list[str]) -> None:
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": None, "outputs": [], "source": cell}
        for n, cell in enumerate(cells)
    ]
    spec = {"name": "energy-discrepancy", "display_name": "Rust (energy-discrepancy)", "language": "rust"}
    path.write_text(json.dumps({"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}))


@pytest.fixture
def lab(tmp_path):
    """A server on the test's own folder; the notebooks run in the smoke preset."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", "--allow-root", "--IdentityProvider.token=", f"--ServerApp.port={port}"]
    environment = os.environ | {
        "JUPYTER_PATH": str(KERNEL / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(KERNEL / "etc" / "jupyter"),
        "ED_PRESET": "smoke",
    }
    server = subprocess.Popen(
        [KERNEL / "python", "-m", "jupyterlab", *options], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
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


def status(page) -> str | None:
    return page.evaluate(f"() => document.querySelector('{STATUS}')?.getAttribute('data-status')")


def wait_until(page, wanted: str, seconds: float) -> None:
    script = f"() => document.querySelector('{STATUS}')?.getAttribute('data-status') === '{wanted}'"
    page.wait_for_function(script, timeout=1e3 * seconds)


def open_notebook(page, lab: str, name: str) -> None:
    """Opens it and waits for its kernel. No dialog may ask for anything."""
    page.goto(f"{lab}/lab/tree/{name}")
    page.wait_for_selector(".jp-Notebook")
    wait_until(page, "idle", 120)
    page.wait_for_timeout(2000)
    assert page.locator(".jp-Dialog").count() == 0


def choose(page, menu: str, item: str) -> None:
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{menu}$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}$")).first.click()


def run_cell(page, number: int, seconds: float = 120) -> float:
    """Shift-Enter in a code cell, counted from 1; how long it took."""
    cell = page.locator(".jp-CodeCell").nth(number - 1)
    cell.locator(".cm-content").click()
    begun = time.monotonic()
    page.keyboard.press("Shift+Enter")
    count = "() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].some(p => p.innerText.includes('*'))"
    page.wait_for_timeout(150)
    page.wait_for_function(f"() => !({count})()", timeout=1e3 * seconds)
    return time.monotonic() - begun


def output_of(page, number: int) -> str:
    return page.locator(".jp-CodeCell").nth(number - 1).locator(".jp-OutputArea").first.inner_text()


def save(page, path: Path) -> dict:
    """Ctrl-S; the notebook as the file then is."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    end = time.monotonic() + 20
    while path.stat().st_mtime_ns == before and time.monotonic() < end:
        page.wait_for_timeout(100)
    page.wait_for_timeout(500)
    return json.loads(path.read_text())
