//! Energies of a user's own, right and silently wrong: those whose gradients are not the slopes of their
//! values are named before a run or a chain goes on with them, and no right one is refused.

#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::dfdx::prelude::*;
use energy_discrepancy::prelude::*;
use std::cell::Cell;

type Matrix = Tensor<(usize, usize), f32, AutoDevice>;
type Vector = Tensor<(usize,), f32, AutoDevice>;

/// An energy without parameters.
struct Of(fn(TapedPoints) -> TapedValues);

impl Energy for Of {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        Ok((self.0)(x))
    }
}

fn half_square(x: TapedPoints) -> TapedValues {
    x.square().sum::<_, Axis<1>>() * 0.5
}

fn points(values: Vec<f32>, d: usize) -> Points {
    let rows = values.len() / d;
    device().unwrap().tensor_from_vec(values, (rows, d))
}

fn data() -> GaussianMixture {
    GaussianMixture::new(&[1.0], &[[0.0, 0.0]], &[1.0]).unwrap()
}

/// 40 points of N(0, 1) in two dimensions.
fn normal() -> Points {
    data().sample(40, &mut rng(0)).unwrap()
}

#[test]
fn right_energies_pass() {
    type Case = (&'static str, fn(TapedPoints) -> TapedValues);
    let cases: [Case; 16] = [
        ("a parabola", half_square),
        ("large and steep", |x| half_square(x) * 1e6),
        ("large and flat", |x| half_square(x) + 1e6),
        ("large and negative", |x| half_square(x) * 0.01 - 3e7),
        ("small", |x| half_square(x) * 1e-9),
        ("kinks", |x| x.abs().sum::<_, Axis<1>>()),
        ("half flat", |x| x.relu().sum::<_, Axis<1>>()),
        ("mostly flat", |x| (x - 2.0).relu().sum::<_, Axis<1>>()),
        ("a constant", |x| x.sum::<_, Axis<1>>() * 0.0 + 3.0),
        ("a double well", |x| {
            (x.square() - 1.0).square().sum::<_, Axis<1>>()
        }),
        ("ripples", |x| (x * 30.0).sin().sum::<_, Axis<1>>()),
        ("walls", |x| (x * 3.0).exp().sum::<_, Axis<1>>()),
        ("not everywhere", |x| x.ln().sum::<_, Axis<1>>()),
        ("nowhere", |x| {
            (x.square() * -1.0 - 1.0).sqrt().sum::<_, Axis<1>>()
        }),
        ("infinite", |x| half_square(x) * f32::INFINITY),
        ("a term with a tape of its own", |x| {
            let half = half_square(x.retaped::<GradientTape>());
            x.tanh().sum::<_, Axis<1>>() + half
        }),
    ];
    let zeros = points(vec![0.0; 40], 2);
    for (what, energy) in cases {
        let others = [points(vec![0.3, -0.8], 2), normal() * 1e-4, normal() * 1e4];
        for x in [normal(), zeros.clone()].into_iter().chain(others) {
            let found = Of(energy).check(&x);
            assert!(found.is_ok(), "{what}: {found:?}");
        }
    }
    Of(|x| half_square(x) * 1e10)
        .check(&(normal() * 1e-5))
        .unwrap();
    Of(|x| half_square(x - 2000.0))
        .check(&(normal() + 2000.0))
        .unwrap();
    Of(half_square).check(&points(Vec::new(), 2)).unwrap();
}

/// Each row less the mean of all: the energy of a point depends on the others.
struct Centred;

impl Energy for Centred {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let shape = *x.shape();
        let mean = x.retaped::<GradientTape>().mean::<_, Axis<0>>();
        let mean: TapedPoints = mean.broadcast_like::<_, Axis<0>>(&shape);
        Ok((x - mean).square().square().sum::<_, Axis<1>>())
    }
}

/// |x|²/2 and noise that is drawn anew in each call: always, or on a tape alone.
struct Noisy {
    calls: Cell<u64>,
    on_tape_alone: bool,
}

impl Energy for Noisy {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        self.calls.set(self.calls.get() + 1);
        let (rows, columns) = *x.shape();
        let mask = GaussianMixture::new(&[1.0], &[[1.0]], &[0.5])?;
        let mask: Points = mask.sample(rows * columns, &mut rng(self.calls.get()))?;
        let mask: Matrix = mask.reshape_like(&(rows, columns));
        Ok((x * mask).square().sum::<_, Axis<1>>() * 0.5)
    }

    fn energy(&self, x: &Points) -> Result<Values, Error> {
        match self.on_tape_alone {
            true => Ok(x.clone().square().sum::<_, Axis<1>>() * 0.5),
            false => Ok(self.energy_taped(x.leaky_trace())?.split_tape().0),
        }
    }
}

#[test]
fn energies_that_differences_cannot_tell_of_pass() {
    Centred.check(&normal()).unwrap();
    for on_tape_alone in [true, false] {
        let calls = Cell::new(0);
        let noisy = Noisy {
            calls,
            on_tape_alone,
        };
        noisy.check(&normal()).unwrap();
    }
}

#[test]
fn wrong_slopes_are_named() {
    type Case = (&'static str, fn(TapedPoints) -> TapedValues);
    let cases: [Case; 5] = [
        ("a term that lost its tape", |x| {
            let (x, tape) = x.split_tape();
            let half = x.clone().square().sum::<_, Axis<1>>() * 0.5;
            x.put_tape(tape).tanh().sum::<_, Axis<1>>() + half
        }),
        ("a tenth of it", |x| {
            let (x, tape) = x.split_tape();
            let lost = x.clone().square().sum::<_, Axis<1>>() * 0.05;
            half_square(x.put_tape(tape)) + lost
        }),
        ("the sign", |x| {
            let (x, tape) = x.split_tape();
            let lost = x.clone().square().sum::<_, Axis<1>>();
            half_square(x.put_tape(tape)).negate() + lost
        }),
        ("on one side", |x| {
            let (x, tape) = x.split_tape();
            let lost = x.clone().relu().sum::<_, Axis<1>>();
            half_square(x.put_tape(tape)) + lost
        }),
        ("beside large values", |x| {
            let (x, tape) = x.split_tape();
            let lost = x.clone().square().sum::<_, Axis<1>>() * 0.5;
            half_square(x.put_tape(tape)) + lost + 1000.0
        }),
    ];
    for (what, energy) in cases {
        for x in [normal(), points(vec![0.3, -0.8], 2), normal() * 10.0] {
            let found = Of(energy).check(&x);
            let said = format!("{found:?}");
            assert!(said.contains("∇U is not the slope of U"), "{what}: {said}");
            assert!(said.contains("checked_energies::Of") && said.contains("retaped"));
        }
    }
    let detached = Of(|x| {
        let (x, tape) = x.split_tape();
        (x.square().sum::<_, Axis<1>>() * 0.5).put_tape(tape)
    });
    let said = detached.check(&normal()).unwrap_err().to_string();
    assert!(said.contains("∇U is 0, though U changes"), "{said}");
}

/// U = |x|²/2, with a gradient by hand.
struct ByHand(fn(f32, usize) -> f32);

impl Energy for ByHand {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        Ok(half_square(x))
    }

    fn gradient(&self, x: &Points) -> Result<(Values, Points), Error> {
        let slopes = x.as_vec().into_iter().enumerate();
        let slopes = slopes.map(|(i, x)| (self.0)(x, i % 2)).collect();
        Ok((self.energy(x)?, points(slopes, 2)))
    }
}

#[test]
fn gradients_by_hand_are_held_against_the_values() {
    ByHand(|x, _| x).check(&normal()).unwrap();
    let wrong: [fn(f32, usize) -> f32; 5] = [
        |x, _| 2.0 * x,
        |x, _| -x,
        |x, column| if column == 1 { 0.0 } else { x },
        |x, _| x + 0.5,
        |x, _| if x > 0.0 { x } else { 0.0 },
    ];
    for gradient in wrong {
        assert!(ByHand(gradient).check(&normal()).is_err());
    }
}

/// A net of the user's own: |x|²/2 + v · f(W x + b) + c, with a table of rows that not all points ask for.
#[derive(Clone)]
struct Own {
    weight: Matrix,
    bias: Vector,
    out: Vector,
    log_z: Tensor<Rank0, f32, AutoDevice>,
    unused: Vector,
    lost: &'static str,
}

impl Own {
    fn new(lost: &'static str) -> Self {
        let device = device().unwrap();
        let draw = |n: usize, seed: u64| -> Vec<f32> {
            let x: Points = data().sample(n.div_ceil(2), &mut rng(seed)).unwrap();
            x.as_vec()[..n].to_vec()
        };
        Self {
            weight: device.tensor_from_vec(draw(16, 1), (2, 8)),
            // The last unit is never active.
            bias: device.tensor_from_vec([draw(7, 2), vec![-1e3]].concat(), (8,)),
            out: device.tensor_from_vec(draw(8, 3), (8,)),
            log_z: device.tensor(0.0),
            unused: device.tensor_from_vec(vec![0.5; 3], (3,)),
            lost,
        }
    }
}

impl Energy for Own {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let (rows, _) = *x.shape();
        let half = half_square(x.retaped::<GradientTape>());
        let keep = |name: &str, tensor: &Matrix| match self.lost == name {
            true => device()
                .unwrap()
                .tensor_from_vec(tensor.as_vec(), *tensor.shape()),
            false => tensor.clone(),
        };
        let weight = keep("weight", &self.weight);
        let hidden: TapedPoints = x.matmul(weight);
        let bias = match self.lost {
            "bias" => device()?.tensor_from_vec(self.bias.as_vec(), (8,)),
            _ => self.bias.clone(),
        };
        let bias: TapedPoints = bias
            .retaped::<GradientTape>()
            .broadcast_like::<_, Axis<0>>(&(rows, 8));
        let active = (hidden + bias).relu();
        let out: TapedPoints = self
            .out
            .retaped::<GradientTape>()
            .broadcast_like::<_, Axis<0>>(&(rows, 8));
        let net = (active * out).sum::<_, Axis<1>>();
        let log_z = match self.lost {
            "log_z" => device()?.tensor(self.log_z.array()),
            _ => self.log_z.clone(),
        };
        let log_z: TapedValues = log_z
            .retaped::<GradientTape>()
            .broadcast_like::<_, Axis<0>>(&(rows,));
        Ok(net + half + log_z)
    }
}

impl Parameters for Own {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        vec![
            ("weight", &self.weight),
            ("bias", &self.bias),
            ("out", &self.out),
            ("log_z", &self.log_z),
            ("unused", &self.unused),
        ]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        vec![
            ("weight", &mut self.weight),
            ("bias", &mut self.bias),
            ("out", &mut self.out),
            ("log_z", &mut self.log_z),
            ("unused", &mut self.unused),
        ]
    }
}

#[test]
fn a_parameter_that_no_gradient_reaches_is_named() {
    let mut right = Own::new("nothing");
    let before: Vec<u32> = right
        .flat_parameters()
        .iter()
        .map(|value| value.to_bits())
        .collect();
    right.check(&normal()).unwrap();
    right.check_parameters(&normal()).unwrap();
    let after: Vec<u32> = right
        .flat_parameters()
        .iter()
        .map(|value| value.to_bits())
        .collect();
    assert_eq!(before, after);
    for name in ["weight", "bias", "log_z"] {
        let mut wrong = Own::new(name);
        let before = wrong.flat_parameters();
        let found = wrong.check_parameters(&normal());
        let said = format!("{name}: {found:?}");
        let expected = format!("no gradient reaches `{name}`, though U depends on it");
        assert!(said.contains(&expected), "{said}");
        assert_eq!(wrong.flat_parameters(), before);
    }
}

/// Four experts of built-in nets, a mixture: U = -log Σ exp(-U_k).
#[derive(Clone)]
struct Mixture {
    experts: Vec<Mlp>,
    through_clones: bool,
}

impl Mixture {
    fn new(through_clones: bool) -> Self {
        let expert = |seed| Mlp::softplus(&[2, 8, 1], seed).unwrap();
        let experts = (0..4).map(|k| expert(k).under(&k.to_string()));
        Self {
            experts: experts.collect(),
            through_clones,
        }
    }
}

impl Energy for Mixture {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let (x, tape) = x.split_tape();
        let first = self.experts[0].energy_taped(x.clone().put_tape(tape))?;
        let mut sum = first.negate().exp();
        for expert in &self.experts[1..] {
            let energy = expert.energy_taped(x.retaped::<GradientTape>())?;
            sum = match self.through_clones {
                true => sum + energy.split_tape().0.negate().exp(),
                false => sum + energy.negate().exp(),
            };
        }
        Ok(sum.ln().negate())
    }
}

impl Parameters for Mixture {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.experts
            .iter()
            .flat_map(|expert| expert.parameters())
            .collect()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.experts
            .iter_mut()
            .flat_map(|expert| expert.parameters_mut())
            .collect()
    }
}

#[test]
fn experts_that_never_train_are_named() {
    let mut right = Mixture::new(false);
    right.check(&normal()).unwrap();
    right.check_parameters(&normal()).unwrap();
    let mut wrong = Mixture::new(true);
    assert!(wrong.check(&normal()).is_err());
    let said = wrong.check_parameters(&normal()).unwrap_err().to_string();
    let expected = "no gradient reaches `1.lin1.weight`, `1.lin1.bias`, `1.lin2.weight` and 9 more";
    assert!(said.contains(expected), "{said}");
}

/// Two vectors with one identity: dfdx then has one gradient for both.
struct Clones(Vec<Vector>);

impl Energy for Clones {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let shape = *x.shape();
        let first: TapedPoints = self.0[0]
            .retaped::<GradientTape>()
            .broadcast_like::<_, Axis<0>>(&shape);
        let second: TapedPoints = self.0[1]
            .retaped::<GradientTape>()
            .broadcast_like::<_, Axis<0>>(&shape);
        let one = (x.retaped::<GradientTape>() - first).square();
        Ok((one + (x - second).tanh()).sum::<_, Axis<1>>())
    }
}

impl Parameters for Clones {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        let each = ["0", "1"].into_iter().zip(&self.0);
        each.map(|(name, v)| (name, v as &dyn Parameter)).collect()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        let each = ["0", "1"].into_iter().zip(&mut self.0);
        each.map(|(name, v)| (name, v as &mut dyn Parameter))
            .collect()
    }
}

#[test]
#[cfg_attr(
    feature = "cuda",
    ignore = "on a GPU a tensor that is written gets an identity of its own"
)]
fn tensors_that_share_a_gradient_are_named() {
    let one: Vector = device().unwrap().tensor_from_vec(vec![0.5, -0.5], (2,));
    let mut wrong = Clones(vec![one.clone(), one.clone()]);
    let said = wrong.check_parameters(&normal()).unwrap_err().to_string();
    assert!(
        said.contains("the gradient in `0`") && said.contains("not the slope"),
        "{said}"
    );
    let other = device().unwrap().tensor_from_vec(one.as_vec(), (2,));
    Clones(vec![one, other])
        .check_parameters(&normal())
        .unwrap();
}

/// Of two vectors U takes the first alone.
struct FirstOf(Clones);

impl Energy for FirstOf {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        let shape = *x.shape();
        let first = self.0.0[0].retaped::<GradientTape>();
        let first: TapedPoints = first.broadcast_like::<_, Axis<0>>(&shape);
        Ok((x - first).square().sum::<_, Axis<1>>())
    }
}

impl Parameters for FirstOf {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.0.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.0.parameters_mut()
    }
}

#[test]
#[cfg_attr(
    feature = "cuda",
    ignore = "on a GPU a tensor that is written gets an identity of its own"
)]
fn a_gradient_that_is_another_tensor_s_is_named() {
    let one: Vector = device().unwrap().tensor_from_vec(vec![0.5, -0.5], (2,));
    let mut wrong = FirstOf(Clones(vec![one.clone(), one]));
    let said = wrong.check_parameters(&normal()).unwrap_err().to_string();
    let expected = "a gradient reaches `1`, though U does not change with it";
    assert!(said.contains(expected), "{said}");
}

fn run<N: Trainable + Clone + 'static>(energy: N) -> Trainer<N, EnergyDiscrepancy> {
    let run = Trainer::new(energy, EnergyDiscrepancy::with_std(0.5));
    run.steps(12).batch(32).adam(1e-2).ema_decay(0.9).quiet()
}

#[test]
fn a_run_says_so_before_its_first_step() {
    let mut wrong = run(Mixture::new(true));
    for _ in 0..2 {
        let said = wrong.fit(&data()).unwrap_err().to_string();
        assert!(said.contains("checked_energies::Mixture: ∇U"), "{said}");
        assert!(said.contains("unchecked()"), "{said}");
        assert!(wrong.history().losses().is_empty());
    }
    let mut wrong = run(Own::new("bias"));
    let said = wrong.fit(&data()).unwrap_err().to_string();
    assert!(said.contains("no gradient reaches `bias`"), "{said}");
    assert!(wrong.fit(&data()).is_err());
    let mut free = wrong.unchecked();
    assert_eq!(free.fit(&data()).unwrap(), Stopped::AtEnd { steps: 12 });
    // In a sweep, too.
    let mut wrong = run(Own::new("weight"));
    let mut right = run(Mlp::softplus(&[2, 4, 1], 0).unwrap());
    let sweep = Sweep::new()
        .run("wrong", &mut wrong)
        .run("right", &mut right);
    let said = sweep.fit(&data()).unwrap_err().to_string();
    assert!(said.contains("no gradient reaches `weight`"), "{said}");
}

#[test]
fn the_check_changes_no_bit_of_a_run() {
    let (mut checked, mut free) = (run(Own::new("")), run(Own::new("")).unchecked());
    let (mut wrapped, mut own) = (
        run(Mixture::new(false)),
        run(Mixture::new(false)).unchecked(),
    );
    let _ = (checked.fit(&data()).unwrap(), free.fit(&data()).unwrap());
    let _ = (wrapped.fit(&data()).unwrap(), own.fit(&data()).unwrap());
    let bits = |values: Vec<f32>| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        bits(checked.energy().flat_parameters()),
        bits(free.energy().flat_parameters())
    );
    assert_eq!(
        bits(wrapped.ema().flat_parameters()),
        bits(own.ema().flat_parameters())
    );
    assert_eq!(checked.history().losses(), free.history().losses());
}

/// An energy that fails after some calls.
#[derive(Clone)]
struct Fails(Own, Cell<usize>);

impl Energy for Fails {
    fn energy_taped(&self, x: TapedPoints) -> Result<TapedValues, Error> {
        self.1.set(self.1.get() + 1);
        match self.1.get() > 9 {
            true => Err(Error::Tensor("no luck".into())),
            false => self.0.energy_taped(x),
        }
    }
}

impl Parameters for Fails {
    fn parameters(&self) -> Vec<(&str, &dyn Parameter)> {
        self.0.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut dyn Parameter)> {
        self.0.parameters_mut()
    }
}

#[test]
fn an_energy_that_fails_in_between_keeps_its_parameters() {
    let mut fails = Fails(Own::new(""), Cell::new(0));
    let before = fails.flat_parameters();
    let said = fails.check_parameters(&normal()).unwrap_err().to_string();
    assert!(said.contains("no luck"), "{said}");
    assert_eq!(fails.flat_parameters(), before);
}

/// A decoder whose images lose their tape.
struct Lost(bool);

impl Decoder for Lost {
    fn latent(&self) -> usize {
        2
    }

    fn decode_taped(&self, z: TapedPoints) -> Result<TapedPoints, Error> {
        match self.0 {
            true => {
                let (z, tape) = z.split_tape();
                Ok(z.tanh().put_tape(tape))
            }
            false => Ok(z.tanh()),
        }
    }
}

#[test]
fn a_chain_says_so_before_its_first_step() {
    let start = normal();
    let wrong = Of(|x| {
        let (x, tape) = x.split_tape();
        let half = x.clone().square().sum::<_, Axis<1>>() * 0.5;
        x.put_tape(tape).tanh().sum::<_, Axis<1>>() + half
    });
    let (langevin, mala) = (Langevin::with_step_size(0.1), Mala::with_step_size(0.1));
    for _ in 0..2 {
        let said = langevin.chain(&wrong, &start, 5, None, &mut rng(0));
        assert!(
            said.unwrap_err()
                .to_string()
                .contains("∇U is not the slope")
        );
        assert!(mala.chain(&wrong, &start, 60, None, &mut rng(0)).is_err());
    }
    let chain = langevin
        .unchecked()
        .chain(&wrong, &start, 5, None, &mut rng(0));
    assert_eq!(chain.unwrap().steps, 5);
    assert!(
        mala.unchecked()
            .chain(&wrong, &start, 5, None, &mut rng(0))
            .is_ok()
    );
    // The check draws nothing.
    let right = Of(half_square);
    let checked = mala.chain(&right, &start, 60, None, &mut rng(3)).unwrap();
    let free = mala
        .unchecked()
        .chain(&right, &start, 60, None, &mut rng(3));
    assert_eq!(checked.last.as_vec(), free.unwrap().last.as_vec());
    // A decoder of one's own, behind the crate's posterior: it belongs to as many points as images.
    let prior = LatentPrior::new(2, 4, 0).unwrap();
    let chain = |decoder: &dyn Decoder| {
        let posterior = Posterior::new(decoder, &prior, &start, 0.5).unwrap();
        langevin
            .chain(&posterior, &start, 5, None, &mut rng(0))
            .map(|chain| chain.steps)
    };
    let said = chain(&Lost(true)).unwrap_err().to_string();
    assert!(said.contains("checked_energies::Lost: ∇U is not"), "{said}");
    assert_eq!(chain(&Lost(false)).unwrap(), 5);
}

#[test]
fn a_loss_is_a_metric() {
    let x: Points = data().sample(64, &mut rng(7)).unwrap();
    let loss = EnergyDiscrepancy::with_std(0.5);
    let short = HeldOut::new(loss, x.clone());
    let likelihood = MaximumLikelihood::on(Quadrature::square(-4.0..4.0, 21).unwrap());
    // Points of a GPU stay on their thread: a closure that is to run on any draws its own.
    let mut run = run(Mlp::softplus(&[2, 8, 1], 0).unwrap())
        .metric("held-out", 5, move |energy: &dyn Energy, rng: &mut Rng| {
            let (x, mut loss) = (data().sample(64, rng)?, loss);
            Ok(loss.evaluate(energy, &x, rng)? + 0.0)
        })
        .metric("short", 5, short)
        .metric("likelihood", 5, HeldOut::new(likelihood, x))
        .metric_fn("without types", 5, move |energy, rng| {
            let (x, mut loss) = (data().sample(64, rng)?, loss);
            loss.evaluate(energy, &x, rng)
        });
    let _ = run.fit(&data()).unwrap();
    for name in ["held-out", "short", "likelihood", "without types"] {
        let series = run.history().metric(name).unwrap();
        assert_eq!(series.values.len(), 3);
        assert!(series.values.iter().all(|value| value.is_finite()));
    }
}
