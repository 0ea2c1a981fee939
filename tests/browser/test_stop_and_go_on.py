"""Stop, go on, restart: with the buttons and menus that a reader presses."""

import time

from conftest import FIRST_CELL, SHOTS, choose, open_notebook, output_of, run_cell, wait_until, write_notebook

BUILD = """
fn set_up() -> Result<Trainer<Mlp, EnergyDiscrepancy>, Error> {
    let net = Mlp::softplus(&[2, 128, 128, 128, 128, 1], 0)?;
    Ok(Trainer::new(net, EnergyDiscrepancy::with_std(1.0)).steps(3000).ema_decay(0.99))
}
let mut run = set_up()?;
"""
CELLS = [
    FIRST_CELL,
    BUILD,
    "run.fit(&toy::gaussians_25())?",
    "run.history().losses().len()",
    "let mut whole = set_up()?.quiet();\nlet _ = whole.fit(&toy::gaussians_25())?;\n"
    'println!("{}", whole.ema().flat_parameters() == run.ema().flat_parameters() && whole.history() == run.history());',
    'loop { std::thread::sleep(std::time::Duration::from_millis(50)); }',
    'println!("alive");',
]
STOP = '[data-command="notebook:interrupt-kernel"]'


def begin(page, number):
    page.locator(".jp-CodeCell").nth(number - 1).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")


def test_stop_keeps_all_and_the_cell_goes_on_to_the_same_bits(lab, page, tmp_path):
    write_notebook(tmp_path / "stop.ipynb", CELLS)
    open_notebook(page, lab, "stop.ipynb")
    for cell in (1, 2):
        run_cell(page, cell)
    begin(page, 3)
    page.wait_for_selector(".jp-OutputArea progress", timeout=30_000)
    page.wait_for_timeout(1000)
    pressed = time.monotonic()
    page.locator(STOP).first.click()
    wait_until(page, "idle", 10)
    seconds = time.monotonic() - pressed
    page.screenshot(path=SHOTS / "stopped.png")
    print(f"stopped after {seconds:.2f} s: {output_of(page, 3).splitlines()[-1]}")
    assert seconds < 2
    assert "run `fit` again to go on" in output_of(page, 3)
    run_cell(page, 4)
    done = int(output_of(page, 4).split()[-1])
    assert 0 < done < 3000
    run_cell(page, 3)
    assert "finished after 3000 steps" in output_of(page, 3)
    run_cell(page, 5)
    assert output_of(page, 5).strip() == "true"
    page.screenshot(path=SHOTS / "went-on.png")


def test_a_cell_that_never_looks_is_ended_by_more_presses(lab, page, tmp_path):
    write_notebook(tmp_path / "loop.ipynb", [FIRST_CELL, *CELLS[-2:]])
    open_notebook(page, lab, "loop.ipynb")
    run_cell(page, 1)
    begin(page, 2)
    page.wait_for_timeout(3000)
    for presses in range(1, 4):
        page.locator(STOP).first.click()
        page.wait_for_timeout(2500)
        if "*" not in page.locator(".jp-CodeCell .jp-InputPrompt").nth(1).inner_text():
            break
    print(f"ended by {presses} presses")
    page.screenshot(path=SHOTS / "never-looks.png")
    assert 2 <= presses <= 3
    run_cell(page, 3)
    assert output_of(page, 3).strip() == "alive"


def test_a_restarted_kernel_has_its_build(lab, page, tmp_path):
    cell = FIRST_CELL + '\nprintln!("process {}", std::process::id());'
    write_notebook(tmp_path / "restart.ipynb", [cell])
    open_notebook(page, lab, "restart.ipynb")
    run_cell(page, 1)
    before = output_of(page, 1).strip()
    assert before.startswith("process ")
    begun = time.monotonic()
    choose(page, "Kernel", "Restart Kernel…")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.wait_for_timeout(1000)
    wait_until(page, "idle", 120)
    restarted = time.monotonic() - begun
    begun = time.monotonic()
    begin(page, 1)
    # Another process has answered: no prompt or output of the one before is taken for it.
    other = f"text => /process \\d+/.test(text) && text.trim() !== '{before}'"
    page.wait_for_function(
        f"() => ({other})(document.querySelector('.jp-CodeCell .jp-OutputArea')?.innerText ?? '')", timeout=60_000
    )
    seconds = time.monotonic() - begun
    print(f"restart {restarted:.1f} s, first cell {seconds:.1f} s, {before}, then {output_of(page, 1).strip()}")
    page.screenshot(path=SHOTS / "restarted.png")
    assert seconds < 6
