"""Training from a cell: an energy of one's own, the Stop button, and what a missing trait says."""

import time

OWN = """
use energy_discrepancy::dfdx::prelude::*;

#[derive(Clone)]
struct Quadratic {
    precision: Tensor<Rank0, f32, Cpu>,
}
impl Energy for Quadratic {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let half_square = x.square().sum::<_, Axis<1>>() * 0.5;
        let shape = *half_square.shape();
        Ok(half_square * self.precision.retaped::<GradientTape>().broadcast_like(&shape))
    }
}
impl Parameters for Quadratic {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        vec![("precision", &self.precision)]
    }
    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        vec![("precision", &mut self.precision)]
    }
}
let data = GaussianMixture::new(&[1.0], &[[0.0]], &[0.5])?;
"""


def test_an_energy_written_in_a_cell_is_trained(kernel):
    assert kernel.run(OWN).status == "ok"
    build = """
    let mut own = Trainer::new(Quadratic { precision: Cpu::default().tensor(1.0) }, EnergyDiscrepancy::with_std(0.5))
        .steps(1500).batch(256).adam(1e-2).quiet();
    """
    reply = kernel.run(build)
    assert reply.status == "ok", reply
    reply = kernel.run("own.fit(&data)?")
    assert reply.data["text/plain"] == "finished after 1500 steps", reply
    # The data's precision is 1/0.5² = 4.
    found = float(kernel.run("own.energy().precision.array()").data["text/plain"])
    assert 3.6 < found < 4.4


def test_score_matching_says_what_such_an_energy_lacks(kernel):
    build = """
    let mut wrong = Trainer::new(Quadratic { precision: Cpu::default().tensor(1.0) }, ScoreMatching);
    """
    assert kernel.run(build).status == "ok"
    reply = kernel.run("wrong.fit(&data)?")
    assert reply.status == "error" and not reply.stderr, reply
    message = "\n".join(reply.errors)
    assert "Quadratic: it has no forward derivatives" in message and "`jets_taped`" in message, message


def test_stop_ends_training_and_the_same_cell_goes_on(kernel):
    build = """
    let mut run = Trainer::new(Mlp::softplus(&[2, 128, 128, 128, 128, 1], 0)?, EnergyDiscrepancy::with_std(1.0))
        .steps(4000).adam(1e-3).ema_decay(0.999);
    """
    assert kernel.run(build).status == "ok"
    request = kernel.send("run.fit(&toy::gaussians_25())?")
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "display_data" and "text/html" in message["content"]["data"]:
            line = message["content"]["data"]["text/plain"]
            break
    assert "step" in line and "left" in line and "loss" in line, line
    pressed = time.monotonic()
    kernel.interrupt()
    reply = kernel.finish(request)
    assert time.monotonic() - pressed < 2
    assert reply.status == "ok" and "run `fit` again to go on" in reply.data["text/plain"], reply
    steps = int(kernel.run("run.history().losses().len()").data["text/plain"])
    assert 0 < steps < 4000
    reply = kernel.run("run.fit(&toy::gaussians_25())?")
    assert reply.data["text/plain"] == "finished after 4000 steps", reply


def test_training_shows_a_bar_and_a_curve_that_move_and_keeps_their_last_state(kernel):
    build = """
    let mut live = Trainer::new(Mlp::softplus(&[2, 64, 64, 1], 0)?, EnergyDiscrepancy::with_std(1.0)).steps(4000);
    """
    assert kernel.run(build).status == "ok"
    reply = kernel.run("live.fit(&toy::gaussians_25())?")
    shown = [content for kind, content in reply.messages if kind == "display_data"]
    bars = {content["transient"]["display_id"] for content in shown if "text/html" in content["data"]}
    curves = {content["transient"]["display_id"] for content in shown if "image/png" in content["data"]}
    assert len(bars) == 1 and len(curves) == 1 and len(shown) == 2, shown
    states: dict = {}
    for kind, content in reply.messages:
        if kind in ("display_data", "update_display_data"):
            states.setdefault(content["transient"]["display_id"], []).append(content["data"])
    lines = [data["text/html"] for data in states[bars.pop()]]
    assert len(lines) >= 3 and "<progress" in lines[0] and "left" in lines[0], lines
    assert "<progress" not in lines[-1] and "in all" in lines[-1], lines
    assert len(states[curves.pop()]) >= 2
    assert not reply.stdout and not reply.stderr, reply
