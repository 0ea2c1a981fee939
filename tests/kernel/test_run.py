"""`make run` fails where a cell does, and on what is missing."""

import subprocess
import sys

import nbformat
import pytest
from conftest import FIRST_CELL, KERNEL, ROOT

CLAIMS = "let mut claims = Claims::new(preset, 0); claims.within(\"a\", 0.5, 0.0..=1.0); claims.check()?;"
CHART = 'Chart::new("a").line(Line::new(&[0.0, 1.0], &[0.0, 1.0]))'


def run(folder, *cells, figure=False):
    """Runs a notebook of the first cell and `cells` as `make run` does."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (FIRST_CELL, *cells)])
    if figure:
        notebook.cells[1].metadata["tags"] = ["figure"]
    path = folder / "case.ipynb"
    nbformat.write(notebook, path)
    return execute(folder, path)


def execute(folder, path):
    command = [KERNEL / "python", ROOT / "tools" / "run_notebooks.py", "--preset", "smoke", "--output", folder / "out", path]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_a_good_notebook_passes_and_counts_from_one(tmp_path):
    result = run(tmp_path, CHART, CLAIMS, figure=True)
    assert result.returncode == 0, result
    assert "cell 2/3  Chart::new" in result.stdout and "1 passed, 0 failed" in result.stdout
    assert ["case", "a", "0.5"] in [line.split() for line in result.stdout.splitlines()]
    notebook = nbformat.read(tmp_path / "out" / "case.ipynb", as_version=4)
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3]
    assert "image/png" in (tmp_path / "out" / "case.html").read_text()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["let x: i32 = 1.5;", CLAIMS], "mismatched types"),
        (['panic!("too far");', CLAIMS], "panic: too far"),
        (['"huge".parse::<Preset>()?;', CLAIMS], "ED_PRESET = huge is not possible"),
        ([CLAIMS, '"huge".parse::<Preset>()?;'], "ED_PRESET = huge is not possible"),
        (['eprintln!("beware");', CLAIMS], "wrote to stderr: beware"),
        ([CLAIMS.replace("0.5", "1.5")], "a = 1.5 is not in [0, 1]"),
        (["1 + 1"], "no cell prints its claims"),
    ],
    ids=["compile error", "panic", "Err", "Err in the last cell", "stderr", "failed claim", "no claims"],
)
def test_a_bad_notebook_fails_and_says_why(tmp_path, cells, message):
    result = run(tmp_path, *cells)
    assert result.returncode == 1, result
    assert "FAILED  case" in result.stderr and message in result.stderr, result.stderr
    assert (tmp_path / "out" / "case.ipynb").exists()


def test_a_missing_figure_fails(tmp_path):
    result = run(tmp_path, "1 + 1", CLAIMS, figure=True)
    assert result.returncode == 1 and "has the tag figure, and shows none" in result.stderr


def test_a_run_that_ends_before_its_headline_is_exported(tmp_path):
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Case\n\n![What it shows](attachment:headline.png)"),
            nbformat.v4.new_code_cell(FIRST_CELL),
            nbformat.v4.new_code_cell('panic!("too early");'),
            nbformat.v4.new_code_cell(CHART, metadata={"tags": ["figure", "headline"]}),
        ]
    )
    path = tmp_path / "case.ipynb"
    nbformat.write(notebook, path)
    result = execute(tmp_path, path)
    assert result.returncode == 1 and "panic: too early" in result.stderr, result.stderr
    assert "too early" in (tmp_path / "out" / "case.html").read_text()
