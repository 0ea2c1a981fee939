"""The notebooks as they lie in the repository: one clean run, figures in place."""

import json

import nbformat
import pytest
from conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_come_from_one_clean_run(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "energy-discrepancy"
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        kinds = [output.get("name") or output.output_type for output in cell.outputs]
        assert not {"stderr", "error"} & set(kinds), cell.source
        if "figure" in cell.metadata.get("tags", []):
            assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.source
    last = "".join(output.get("text", "") for output in cells[-1].outputs)
    claims = [line for line in last.splitlines() if line.startswith("claims {")]
    assert json.loads(claims[0].removeprefix("claims "))["preset"] == "full"
    assert path.stat().st_size < 1_000_000


def test_there_are_notebooks():
    assert NOTEBOOKS
