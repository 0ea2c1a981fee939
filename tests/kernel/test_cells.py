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
    cell = "EnergyDiscrepancy::with_std(-1.0).draw(&mixture_points(), &mut rng(0))"
    setup = """
    fn mixture_points() -> Points<f64> {
        GaussianMixture::new(&[1.0], &[[0.0]], &[1.0]).unwrap().sample(2, &mut rng(0)).unwrap()
    }
    """
    assert kernel.run(setup).status == "ok"
    reply = kernel.run(cell)
    message = "noise = -1 is not possible: a standard deviation or variance: positive and finite"
    assert reply.data["text/plain"].strip() == f"Err({message})", reply
    reply = kernel.run(cell + "?;")
    assert reply.status == "error" and reply.errors == [message] and not reply.stderr, reply


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


def test_a_user_s_own_rust_kernel_is_left_alone(fresh_kernel, tmp_path):
    own = tmp_path / "jupyter" / "kernels" / "rust"
    own.mkdir(parents=True)
    (own / "version.txt").write_text("an older one, which evcxr would replace at its start")
    kernel = fresh_kernel(XDG_DATA_HOME=str(tmp_path))
    assert kernel.run("1 + 1").status == "ok"
    assert [path.name for path in own.iterdir()] == ["version.txt"]
