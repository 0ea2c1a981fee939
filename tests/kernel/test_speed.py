"""Wall time from sending a cell to its reply. The limits leave room for a busy machine; the
printed figures are what an idle one is judged by (`make test` shows them)."""

import statistics


def measure(kernel, cells):
    return [kernel.run(cell).seconds for cell in cells]


def test_cells_are_quick(fresh_kernel, capsys):
    kernel = fresh_kernel()
    first = kernel.begin().seconds
    kernel.run("let warm: f64 = 0.0;")
    times = {
        "1 + 1": measure(kernel, ["1 + 1"] * 7),
        "a crate call": measure(kernel, ["Color::ramp(3)"] * 7),
        "a new let": measure(kernel, [f"let v{i}: f64 = {i}.0;" for i in range(7)]),
    }
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    with capsys.disabled():
        print(f"\n  kernel start {kernel.start_seconds:.2f} s, first cell {first:.2f} s")
        for name, median in medians.items():
            print(f"  {name:<13} median {median:.2f} s of {len(times[name])}")
    assert first < 20
    assert max(medians.values()) < 2


EXPRESSION = """
let x = Expr::points(2);
let h = x.dense({width}).silu();
let h = &h + h.dense({width}).silu();
let net = Net::new(h.dense(1) + x.square().sum() * 0.5, 0)?;
let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0)).steps(20).quiet();
"""


def test_an_energy_as_an_expression_is_quick_to_write(fresh_kernel, capsys):
    kernel = fresh_kernel()
    kernel.begin()
    replies = [kernel.run(EXPRESSION.format(width=16 * i)) for i in range(1, 6)]
    assert all(reply.status == "ok" for reply in replies), replies
    median = statistics.median(reply.seconds for reply in replies)
    with capsys.disabled():
        print(f"\n  a net as an expression and its trainer: median {median:.2f} s of {len(replies)}")
    assert median < 3
    assert kernel.run("run.fit(&toy::gaussians_25())?").data["text/plain"] == "finished after 20 steps"
    kernel.run("let sample: Points = toy::gaussians_25().sample(9, &mut rng(0))?;")
    matching = kernel.run("ScoreMatching.evaluate(run.energy(), &sample, &mut rng(0))?")
    assert matching.status == "ok", matching.errors

    misspelt = kernel.run("Net::new(x.dense(8).sillu().sum(), 0)?")
    assert misspelt.status == "error" and "sillu" in misspelt.errors[0], misspelt
    with capsys.disabled():
        print("  " + misspelt.errors[0].replace("\n", "\n  "))
    (wrong,) = kernel.run("Net::new(x.dense(8) + x.dense(4), 0)?").errors
    assert "`+` of 8 and 4 features: they must be as many" in wrong and "\n" not in wrong


TIMED = """
fn milliseconds<N: Trainable + Clone + Send + 'static>(net: N) -> Result<f64, Error> {
    let loss = EnergyDiscrepancy::with_std(1.0).particles(4);
    let mut run = Trainer::new(net, loss).steps(200).batch(128).adam(1e-3).ema_decay(0.999).quiet();
    let _ = run.fit(&toy::gaussians_25())?;
    Ok(run.time().as_secs_f64() * 1e3 / 200.0)
}

fn written_here() -> Result<Net, Error> {
    let mut h = Expr::points(2);
    for _ in 0..4 {
        h = h.dense(128).softplus();
    }
    Net::new(h.dense(1), 0)
}

let mut times: [f64; 2] = [f64::INFINITY; 2];
for _ in 0..3 {
    times[0] = times[0].min(milliseconds(written_here()?)?);
    times[1] = times[1].min(milliseconds(Mlp::softplus(&[2, 128, 128, 128, 128, 1], 0)?)?);
}
times
"""


def test_an_energy_written_in_a_cell_is_as_fast_as_the_built_in_one(fresh_kernel, capsys):
    kernel = fresh_kernel()
    kernel.begin()
    reply = kernel.run(TIMED)
    assert reply.status == "ok", reply.errors
    own, built_in = map(float, reply.data["text/plain"].strip("[]").split(","))
    with capsys.disabled():
        print(f"\n  a step of ED, 2-128x4-1, M = 4: written in a cell {own:.2f} ms, built in {built_in:.2f} ms")
    # Minima of three each; other programs may slow down one of them.
    assert own < 1.5 * built_in


def test_two_notebooks_at_once_are_both_quick(fresh_kernel, capsys):
    kernels = [fresh_kernel(), fresh_kernel()]
    first = [kernel.begin().seconds for kernel in kernels]
    folders = []
    for kernel in kernels:
        reply = kernel.run('std::env::var("EVCXR_TMPDIR").unwrap()')
        folders.append(reply.data["text/plain"])
    with capsys.disabled():
        print(f"\n  two kernels at once: first cells {first[0]:.2f} s and {first[1]:.2f} s")
    assert folders[0] != folders[1]
    assert max(first) < 20
