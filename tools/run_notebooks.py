"""Executes notebooks on the project's kernel: `make run`.

Writes them with their outputs to target/notebooks as .ipynb and .html, and fails on a cell that
fails, on output on stderr, a missing figure, a missing or failed claim.
"""

import argparse
import base64
import contextlib
import copy
import json
import os
import queue
import re
import sys
import threading
import time
from pathlib import Path

import nbformat
from jupyter_client import BlockingKernelClient
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter

from layout import KERNEL, KERNEL_NAME, ROOT

PRESETS = ("smoke", "quick", "full", "paper")
NOTEBOOKS = ROOT / "notebooks"


class Failure(Exception):
    """A cell did not do what it should."""


def main() -> int:
    options = parse_arguments()
    os.environ |= {
        "JUPYTER_PATH": str(KERNEL / "share" / "jupyter"),
        "ED_PRESET": options.preset,
    }
    paths = options.notebooks or sorted(NOTEBOOKS.glob(f"{options.name or '*'}.ipynb"))
    if not paths:
        print(f"no notebook {options.name or '*'}.ipynb in {NOTEBOOKS}", file=sys.stderr)
        return 2
    results = {path: run(path, options) for path in paths}
    print()
    for path, (claims, _) in results.items():
        for name, value in claims.items():
            print(f"{path.stem}  {name:<38} {value}")
    failures = [f"{path.stem}: {failure}" for path, (_, failure) in results.items() if failure]
    for failure in failures:
        print(f"FAILED  {failure}", file=sys.stderr)
    print(f"{len(paths) - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="quick")
    parser.add_argument("--name", help="one notebook of notebooks/, without .ipynb")
    parser.add_argument("--output", type=Path, default=ROOT / "target" / "notebooks")
    parser.add_argument("--store", action="store_true", help="also write the outputs into the notebook itself")
    parser.add_argument("notebooks", type=Path, nargs="*", help="paths, instead of those in notebooks/")
    return parser.parse_args()


def run(path: Path, options) -> tuple[dict, str | None]:
    """Executes one notebook; its claims, and what went wrong."""
    print(f"{path.stem} (preset {options.preset})")
    notebook = nbformat.read(path, as_version=4)
    started = time.monotonic()
    failure = None
    try:
        execute(notebook)
        claims = read_claims(notebook)
        attach_headline(notebook, path.stem, options.store)
    except (Failure, CellExecutionError, DeadKernelError) as error:
        claims, failure = {}, describe(error, notebook)
    print(f"  {time.monotonic() - started:.1f} s in all")
    write(notebook, path, options.output)
    if options.store and not failure:
        nbformat.write(notebook, path)
    return claims, failure


def execute(notebook) -> None:
    client = NotebookClient(notebook, kernel_name=KERNEL_NAME, timeout=None, startup_timeout=120, record_timing=False)
    cells = [(index, cell) for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    with contextlib.ExitStack() as stack:
        with Watch("  kernel"):
            stack.enter_context(client.setup_kernel(cwd=str(NOTEBOOKS)))
        stderr = stack.enter_context(Stderr(client.km.connection_file))
        for number, (index, cell) in enumerate(cells, 1):
            with Watch(f"  cell {number}/{len(cells)}  {title(cell)}"):
                client.execute_cell(cell, index)
            stderr.check()
            check_figure(cell, number)
        stderr.settle()
        stderr.check()


class Stderr:
    """All that the kernel writes to stderr, by cell.

    Listens on its own: evcxr sends these lines some time after they are written, also after the
    cell has ended, and nbclient then drops them.
    """

    def __init__(self, connection_file: str):
        self.client = BlockingKernelClient(connection_file=connection_file)
        self.client.load_connection_file()
        self.cells: list[str] = []
        self.lines: list[tuple[str, str]] = []
        self.ended = threading.Event()

    def __enter__(self):
        self.client.start_channels()
        # Returns once the kernel's broadcasts arrive.
        self.client.wait_for_ready(timeout=60)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        return self

    def listen(self):
        while not self.ended.is_set():
            try:
                message = self.client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                continue
            cell = message["parent_header"].get("msg_id")
            if message["msg_type"] == "execute_input":
                self.cells.append(cell)
            elif message["msg_type"] == "stream" and message["content"]["name"] == "stderr":
                self.lines.append((cell, message["content"]["text"]))

    def settle(self):
        """Gives the last lines the time that they take: milliseconds, on a busy machine more."""
        time.sleep(1)

    def check(self):
        if self.lines:
            first = self.lines[0][0]
            number = self.cells.index(first) + 1 if first in self.cells else "?"
            text = "".join(text for cell, text in self.lines if cell == first)
            raise Failure(f"cell {number} wrote to stderr: {text.strip()}")

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.client.stop_channels()


def title(cell) -> str:
    lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
    return lines[0][:60] if lines else ""


def check_figure(cell, number: int) -> None:
    wants_figure = "figure" in cell.metadata.get("tags", [])
    if wants_figure and not any("image/png" in output.get("data", {}) for output in cell.outputs):
        raise Failure(f"cell {number} has the tag figure, and shows none")


def read_claims(notebook) -> dict:
    texts = (output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    lines = [line for text in texts for line in text.splitlines() if line.startswith("claims {")]
    if not lines:
        raise Failure("no cell prints its claims")
    return json.loads(lines[-1].removeprefix("claims "))


def attach_headline(notebook, name: str, store: bool) -> None:
    """Puts the figure of the cell with the tag headline into the text at the notebook's top."""
    for cell in notebook.cells:
        if "headline" not in cell.metadata.get("tags", []):
            continue
        png = next(output["data"]["image/png"] for output in cell.outputs if "image/png" in output.get("data", {}))
        notebook.cells[0]["attachments"] = {"headline.png": {"image/png": png.strip()}}
        if store:
            picture = ROOT / "docs" / f"{name}.png"
            picture.parent.mkdir(exist_ok=True)
            picture.write_bytes(base64.b64decode(png))


def error_messages(notebook) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    messages = ["\n".join(output["traceback"]) for output in outputs if output["output_type"] == "error"]
    return [re.sub(r"\x1b\[[0-9;]*m", "", message) for message in messages]


def describe(error: Exception, notebook) -> str:
    if isinstance(error, DeadKernelError):
        return "the kernel died"
    if isinstance(error, Failure):
        return str(error)
    # evcxr gives each compile error as a message of its own.
    return "\n".join(error_messages(notebook)) or str(error)


def write(notebook, path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{path.stem}.ipynb")
    shown = copy.deepcopy(notebook)
    if not shown.cells[0].get("attachments"):
        # The run ended before the headline's figure, and an image that is not there cannot be exported.
        shown.cells[0].source = re.sub(r"!\[[^]]*\]\(attachment:[^)]*\)", "", shown.cells[0].source)
    html, _ = HTMLExporter().from_notebook_node(shown)
    (folder / f"{path.stem}.html").write_text(html)


class Watch:
    """Prints what runs and for how long; on a terminal while it runs."""

    def __init__(self, text: str):
        self.text = text
        self.live = sys.stdout.isatty()
        self.ended = threading.Event()

    def __enter__(self):
        self.started = time.monotonic()
        print(self.text, end="" if self.live else "\n", flush=True)
        if self.live:
            threading.Thread(target=self.tick, daemon=True).start()

    def tick(self):
        while not self.ended.wait(1):
            print(f"\r{self.text}  {time.monotonic() - self.started:.0f} s", end="", flush=True)

    def __exit__(self, *_):
        self.ended.set()
        seconds = f"{time.monotonic() - self.started:.1f} s"
        print(f"\r{self.text}  {seconds}" if self.live else f"    {seconds}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
