"""What a cell can rely on: shared state, messages, figures."""

import base64

NET = """
use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::dfdx::optim::{Adam, AdamConfig};
type Arch = (Linear<1, 8>, Tanh, Linear<8, 1>);
type Net = <Arch as BuildOnDevice<Cpu, f32>>::Built;
"""

BUILD = """
let cpu{0}: Cpu = Cpu::seed_from_u64(3);
let mut net{0}: Net = cpu{0}.build_module::<Arch, f32>();
let mut opt{0}: Adam<Net, f32, Cpu> = Adam::new(&net{0}, AdamConfig {{ lr: 1e-2, ..Default::default() }});
"""

TRAIN = """
{{
    let x: Tensor<(usize, Const<1>), f32, Cpu> =
        cpu{0}.tensor_from_vec((0..32).map(|i| i as f32 / 16.0 - 1.0).collect(), (32, Const::<1>));
    for _ in 0..20 {{
        let y = net{0}.forward_mut(x.clone().trace(net{0}.alloc_grads()));
        let loss = (y - x.clone().square()).square().mean();
        print!("{{:.6}} ", loss.array());
        let gradients = loss.backward();
        opt{0}.update(&mut net{0}, &gradients).unwrap();
    }}
    println!();
}}
"""


def test_a_net_of_one_cell_trains_in_the_next_as_it_does_in_its_own(kernel):
    assert kernel.run(NET).status == "ok"
    together = kernel.run(BUILD.format("1") + TRAIN.format("1"))
    assert together.status == "ok" and not together.stderr, together
    built = kernel.run(BUILD.format("2"))
    assert built.status == "ok", built
    apart = kernel.run(TRAIN.format("2"))
    assert apart.status == "ok" and not apart.stderr, apart
    losses = [float(loss) for loss in apart.stdout.split()]
    assert len(losses) == 20 and losses[-1] < losses[0], losses
    assert apart.stdout == together.stdout


def test_a_result_shows_its_message(kernel):
    cell = "EnergyDiscrepancy::with_std(-1.0).evaluate(&normal()?, &normal()?.sample(2, &mut rng(0))?, &mut rng(1))"
    setup = """
    fn normal() -> Result<GaussianMixture, Error> {
        GaussianMixture::new(&[1.0], &[[0.0]], &[1.0])
    }
    """
    assert kernel.run(setup).status == "ok"
    message = "noise = -1 is not possible: a standard deviation or variance: positive and finite"
    # A cell that ends in an error has failed, with a `?` and without.
    for ending in ("", "?;"):
        reply = kernel.run(cell + ending)
        assert reply.status == "error" and reply.errors == [message] and not reply.stderr, reply
        assert not reply.data, reply


def test_a_number_at_a_cell_s_end_shows_itself(kernel):
    cells = {
        "let n = 5; n": "5",
        "let y = 3.5; y": "3.5",
        "let n: i64 = 5; n": "5",
        "let mut s = 0.0; for _ in 0..4 { s += 0.5; } s": "2.0",
        "7": "7",
        "1.5 + 2.0": "3.5",
        "-n": "-5",
        "[1, 2]": "[1, 2]",
        "(1, 2.5)": "(1, 2.5)",
        "n as f64 / 2.0": "2.5",
        "Some(3)": "Some(3)",
        "Ok::<f64, Error>(0.5)": "Ok(0.5)",
    }
    for cell, shown in cells.items():
        reply = kernel.run(cell)
        assert reply.status == "ok" and reply.data == {"text/plain": shown}, (cell, reply)


def test_what_says_nothing_shows_nothing(kernel):
    for cell in ("for _ in 0..2 { rng(0); }", "Ok::<(), Error>(())", "()"):
        reply = kernel.run(cell)
        assert reply.status == "ok" and not reply.data, (cell, reply)


def test_a_cell_of_which_nothing_runs_fails(kernel):
    for cell, why in {
        "/* old version\nlet xx = 1;": "a comment is opened by `/*` and not closed",
        "/* a */ /* /* */\n1": "a comment is opened by `/*` and not closed",
        "}": "a `}` that closes nothing",
        "// a comment\n} let xx = 1;": "a `}` that closes nothing",
    }.items():
        reply = kernel.run(cell)
        assert reply.status == "error" and len(reply.errors) == 1 and why in reply.errors[0], (cell, reply)
    for cell in ("", "// a", "/* a */"):
        assert kernel.run(cell).status == "ok"


def test_a_question_mark_fails_the_cell_with_errors_of_any_type(kernel):
    reply = kernel.run('let number: i32 = "a".parse()?;')
    assert reply.status == "error" and reply.errors == ["invalid digit found in string"], reply


def test_half_a_line_shows_at_once_and_in_its_own_cell(kernel):
    assert kernel.run('print!("half");').stdout == "half"
    assert kernel.run('println!("whole");').stdout == "whole\n"


def test_a_cell_shows_several_figures(kernel):
    show = 'Chart::new("{}").line(Line::new(&[0.0, 1.0], &[0.0, 1.0])).show()?;'
    reply = kernel.run(show.format("a") + ' println!("between"); ' + show.format("b"))
    shown = [content["data"]["text/plain"] for kind, content in reply.messages if kind == "display_data"]
    assert shown == ["Figure: a", "Figure: b"], reply


def test_figures_show_themselves(kernel):
    chart = 'Chart::new("a").line(Line::new(&[0.0, 1.0], &[0.0, 1.0]))'
    cells = [
        chart,
        f"Figure::row([{chart}, {chart}])",
        f"Ok::<Figure, Error>({chart}.figure())",
        f"Figure::row([{chart}]).png()?; Ok::<Chart, Error>({chart})",
        # A moved variable makes evcxr compile twice, and show the figure by Debug.
        f"let moved: Chart = {chart}; moved.figure()",
        f"let moved: Chart = {chart}; Ok::<Figure, Error>(moved.figure())",
    ]
    for cell in cells:
        reply = kernel.run(cell)
        assert base64.b64decode(reply.data["image/png"]).startswith(b"\x89PNG"), (cell, reply)
        assert "Figure: a" in reply.data["text/plain"], (cell, reply)


def test_a_figure_that_cannot_be_drawn_says_why(kernel):
    reply = kernel.run('Chart::new("a").line(Line::new(&[0.0, 1.0], &[0.0]))')
    assert reply.errors == ["a line's (x, y) has shape (2, 1), but as many x as y is needed"], reply


def test_a_panic_fails_the_cell_in_one_line_and_keeps_earlier_variables(kernel):
    assert kernel.run("let kept: i32 = 42;").status == "ok"
    reply = kernel.run('panic!("too far");')
    assert reply.status == "error" and not reply.stderr, reply
    tracebacks = [content["traceback"] for kind, content in reply.messages if kind == "error"]
    assert tracebacks == [["panic: too far"]]
    assert kernel.run("kept").data["text/plain"].strip() == "42"


def test_a_caught_panic_is_not_told_for_another(kernel):
    caught = kernel.run('std::panic::catch_unwind(|| panic!("caught")).is_err()')
    assert caught.status == "ok" and caught.data == {"text/plain": "true"}, caught
    reply = kernel.run('std::panic::resume_unwind(Box::new("handed on"));')
    assert reply.status == "error" and reply.errors == ["no message"], reply
    assert not reply.stderr, reply
    reply = kernel.run('std::panic::catch_unwind(|| panic!("caught")).is_err(); panic!("mine");')
    assert reply.status == "error" and reply.errors == ["mine"] and reply.stderr == "panic: caught\n", reply
    kernel.run('std::panic::catch_unwind(|| panic!("caught")).is_err()')
    reply = kernel.run('panic!("mine");')
    assert reply.errors == ["mine"] and not reply.stderr, reply


def test_after_a_lost_process_the_first_panic_is_one_line(fresh_kernel):
    kernel = fresh_kernel()
    kernel.begin()
    for cell, how in {"std::process::abort();": "signal: 6", "std::process::exit(0);": "exit status: 0"}.items():
        reply = kernel.run(cell)
        assert reply.status == "error" and len(reply.errors) == 1, reply
        assert how in reply.errors[0] and "the variables of all cells are lost" in reply.errors[0], reply
        reply = kernel.run('panic!("boom")')
        assert reply.status == "error" and reply.errors == ["boom"] and not reply.stderr, reply


def test_a_user_s_own_rust_kernel_is_left_alone(fresh_kernel, tmp_path):
    own = tmp_path / "jupyter" / "kernels" / "rust"
    own.mkdir(parents=True)
    (own / "version.txt").write_text("an older one, which evcxr would replace at its start")
    kernel = fresh_kernel(XDG_DATA_HOME=str(tmp_path))
    assert kernel.run("1 + 1").status == "ok"
    assert [path.name for path in own.iterdir()] == ["version.txt"]
