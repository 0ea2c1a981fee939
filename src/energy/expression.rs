//! Energies as expressions of their points.

use super::function::Applied;
use super::window::Window;
use crate::Error;
use crate::kernel::Function;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Range, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Numbers that are computed from each point: features, of which the last step makes the energy.
///
/// An expression is written as a formula, in a cell as elsewhere, and has no type parameters. It becomes an energy
/// by [`Net::new`](super::Net::new). Used twice it is computed once; what has parameters is one layer,
/// wherever it is used.
///
/// # Operations
/// | method | formula of each row | PyTorch |
/// |---|---|---|
/// | [`dense`](Self::dense) | W x + b | `nn.Linear` |
/// | [`conv2d`](Self::conv2d), [`average_pool`](Self::average_pool) | sums over windows of an [`image`](Self::image) | `nn.Conv2d`, `nn.AvgPool2d` |
/// | [`conv_transpose2d`](Self::conv_transpose2d) | each pixel adds a window to a larger image | `nn.ConvTranspose2d` |
/// | [`softplus`](Self::softplus) | ln(1 + e^x) | `F.softplus` |
/// | [`silu`](Self::silu) | x σ(x) | `F.silu` |
/// | [`relu`](Self::relu), [`leaky_relu`](Self::leaky_relu) | x, or s x where x ≤ 0 | `F.relu`, `F.leaky_relu` |
/// | [`elu`](Self::elu) | x, or α (e^x - 1) where x ≤ 0 | `F.elu` |
/// | [`gelu`](Self::gelu) | x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))) | `F.gelu(x, approximate="tanh")` |
/// | [`tanh`](Self::tanh), [`sigmoid`](Self::sigmoid) | tanh x, 1/(1 + e^-x) | `torch.tanh`, `torch.sigmoid` |
/// | [`sin`](Self::sin), [`cos`](Self::cos), [`exp`](Self::exp), [`ln`](Self::ln), [`sqrt`](Self::sqrt) | sin x, cos x, e^x, ln x, √x | `torch.sin` ... `torch.log` ... |
/// | [`square`](Self::square), [`powi`](Self::powi), [`powf`](Self::powf) | x², x^n, x^p of positive x | `x ** n` |
/// | `+ - * /` | of expressions (one feature goes with any number of them) and numbers | the same |
/// | [`sum`](Self::sum), [`mean`](Self::mean) | Σ x, Σ x / n over features | `x.sum(1)`, `x.mean(1)` |
/// | [`log_sum_exp`](Self::log_sum_exp) | ln Σ e^x over features | `torch.logsumexp` |
/// | [`concat`](Self::concat), [`slice`](Self::slice) | features beside features, some of them | `torch.cat`, `x[:, a:b]` |
/// | [`squared_distances`](Self::squared_distances) | \|x - c_k\|² to K centres | `torch.cdist(x, c) ** 2` |
/// | [`embedding`](Self::embedding) | the row of a table that a column of codes names | `nn.Embedding` |
/// | [`parameter`](Self::parameter), [`scalar`](Self::scalar) | parameters of one's own | `nn.Parameter` |
///
/// What does not fit together is an error of [`Net::new`](super::Net::new), which says the operation and why.
///
/// # Examples
/// A residual net beside a parabola:
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let x = Expr::points(2);
/// let h = x.dense(64).silu();
/// let h = &h + h.dense(64).silu();
/// let net = Net::new(h.dense(1) + x.square().sum() * 0.5, 0)?;
///
/// let mut run = Trainer::new(net, EnergyDiscrepancy::with_std(1.0)).steps(10).quiet();
/// let _ = run.fit(&toy::gaussians_25())?;
///
/// let error = Net::new(x.dense(64) + x.dense(32), 0).unwrap_err();
/// assert!(error.to_string().contains("`+` of 64 and 32 features"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Expr(pub(super) Result<Arc<Node>, Arc<str>>);

/// One operation, and what it is applied to.
pub(super) struct Node {
    /// No other node has it.
    pub(super) id: usize,
    pub(super) op: Op,
    pub(super) inputs: Vec<Arc<Node>>,
    /// Of a row's features: their number, or channels, height and width of an image. Of a parameter its own.
    pub(super) sizes: Vec<usize>,
    /// Of the operation's parameters.
    pub(super) name: Option<String>,
    /// The coordinates of the points that it is an expression of.
    points: Option<usize>,
    /// Operations from here to the points, at most.
    depth: usize,
}

/// What a node computes. Its inputs are in the order in which a reader would name them.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Points,
    /// The k-th direction in which derivatives are taken: no reader's operation, as all whose names are not in the table.
    Direction(usize),
    Parameter(Initial),
    Constant(f64),
    /// Of x, W and perhaps b.
    Dense,
    Function(Function),
    /// `by` x + `plus`.
    Affine {
        by: f64,
        plus: f64,
    },
    Add,
    Multiply,
    Sum,
    /// One feature as many.
    Spread,
    /// The largest feature, as a constant: what keeps `log_sum_exp` from overflowing.
    Largest,
    Concat,
    Slice(usize),
    /// The same numbers with other sizes.
    Reshape,
    /// Of x and the centres.
    Distances,
    /// Of x, W and perhaps b.
    Convolution(Window),
    /// Of x, W and perhaps b.
    TransposedConvolution(Window),
    Pool(Window),
    /// Of x and the table: by this column.
    Embedding(usize),
}

/// Where a parameter starts.
#[derive(Clone, Debug)]
pub(super) enum Initial {
    /// Uniform in ±1/√(inputs), as PyTorch's layers.
    Uniform {
        inputs: usize,
    },
    Normal,
    Values(Vec<f64>),
}

/// Deeper expressions could end the program when they are freed.
const DEEPEST: usize = 5_000;
/// More features than that are a slip.
const WIDEST: usize = 1 << 28;

fn unique() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

impl Node {
    /// Features of a row; values of a parameter.
    pub(super) fn width(&self) -> usize {
        self.sizes.iter().product()
    }

    fn new(op: Op, inputs: Vec<Arc<Node>>, sizes: Vec<usize>) -> Result<Arc<Self>, String> {
        let mut points = None;
        for input in &inputs {
            match (points, input.points) {
                (Some(one), Some(other)) if one != other => {
                    return Err(format!(
                        "joins expressions of points with {one} and with {other} coordinates"
                    ));
                }
                (None, other) => points = other,
                _ => {}
            }
        }
        let depth = 1 + inputs.iter().map(|input| input.depth).max().unwrap_or(0);
        if depth > DEEPEST {
            return Err(format!(
                "more than {DEEPEST} operations lie one behind the other"
            ));
        }
        let width = sizes
            .iter()
            .try_fold(1, |product: usize, size| product.checked_mul(*size));
        if width.is_none_or(|width| width > WIDEST) {
            return Err(format!("{sizes:?} are too many numbers: at most {WIDEST}"));
        }
        let points = if matches!(op, Op::Points) {
            Some(sizes[0])
        } else {
            points
        };
        Ok(Arc::new(Self {
            id: unique(),
            op,
            inputs,
            sizes,
            name: None,
            points,
            depth,
        }))
    }

    fn parameter(initial: Initial, sizes: Vec<usize>) -> Result<Arc<Self>, String> {
        Self::new(Op::Parameter(initial), Vec::new(), sizes)
    }
}

/// What to call the sizes of features.
fn told(sizes: &[usize]) -> String {
    match sizes {
        [channels, height, width] => format!("{channels} x {height} x {width}"),
        sizes => sizes.iter().product::<usize>().to_string(),
    }
}

impl Expr {
    /// The points themselves: D features. Wherever it stands in a formula, it is the same points.
    pub fn points(dimension: usize) -> Self {
        Self::of("points", || {
            if dimension == 0 {
                return Err("points have at least one coordinate".into());
            }
            Node::new(Op::Points, Vec::new(), vec![dimension])
        })
    }

    /// Parameters of one's own, which start at these values: as many features, the same for each point.
    ///
    /// # Examples
    /// U = Σ λ_d x_d²/2 with precisions that are learned:
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let precision = Expr::parameter("log_precision", &[0.0, 1.0]).exp();
    /// let net = Net::new((precision * Expr::points(2).square()).sum() * 0.5, 0)?;
    /// assert_eq!(net.parameters()[0].0, "log_precision");
    /// assert!((net.in_double().energy(&[1.0, 1.0])? - (1.0 + 1f64.exp()) / 2.0).abs() < 1e-6);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn parameter(name: impl Into<String>, values: &[f64]) -> Self {
        let sizes = vec![values.len()];
        Self::own("parameter", name.into(), values.to_vec(), sizes)
    }

    /// One parameter of one's own, which starts at this value.
    ///
    /// # Examples
    /// A bias that, fitted, becomes a normalising constant:
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let net = Net::new(Expr::points(1).square().sum() * 0.5 + Expr::scalar("log_z", 0.5), 0)?;
    /// assert_eq!(net.in_double().energy(&[2.0])?, 2.5);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn scalar(name: impl Into<String>, value: f64) -> Self {
        Self::own("scalar", name.into(), vec![value], Vec::new())
    }

    fn own(operation: &str, name: String, values: Vec<f64>, sizes: Vec<usize>) -> Self {
        let made = Self::of(operation, || {
            if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
                return Err(format!(
                    "`{name}` starts at {values:?}: give at least one value, all finite"
                ));
            }
            Node::parameter(Initial::Values(values), sizes)
        });
        made.named(name)
    }

    /// A name for the parameters of this operation, where it is made: `name.weight` and `name.bias` of a layer,
    /// `name` of what has one parameter. Without, they are `dense1`, `dense2`, `conv1`, `centres1`, `embedding1`
    /// and so on.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let x = Expr::points(2);
    /// let h = x.dense(8).named("net.0").tanh();
    /// let net = Net::new(h.dense(1), 0)?;
    /// let names: Vec<&str> = net.parameters().into_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["net.0.weight", "net.0.bias", "dense1.weight", "dense1.bias"]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn named(&self, name: impl Into<String>) -> Self {
        let Ok(node) = &self.0 else {
            return self.clone();
        };
        let name = name.into();
        let has_parameters = matches!(node.op, Op::Parameter(_))
            || node
                .inputs
                .iter()
                .any(|input| matches!(input.op, Op::Parameter(_)) && input.name.is_none());
        Self::of("named", || {
            if !has_parameters {
                return Err(format!(
                    "there are no parameters to be named {name:?}: put `named` directly behind `dense` and the like"
                ));
            }
            let copy = Node::new(node.op.clone(), node.inputs.clone(), node.sizes.clone())?;
            let mut copy = Arc::into_inner(copy).ok_or("it is in use")?;
            copy.name = Some(name);
            Ok(Arc::new(copy))
        })
    }

    /// W x + b with `outputs` features, which start uniform in ±1/√(fan in).
    pub fn dense(&self, outputs: usize) -> Self {
        self.then(&format!("dense({outputs})"), |x| {
            let inputs = x.width();
            if outputs == 0 {
                return Err("a layer has at least one output".into());
            }
            let weight = Node::parameter(Initial::Uniform { inputs }, vec![outputs, inputs])?;
            let bias = Node::parameter(Initial::Uniform { inputs }, vec![outputs])?;
            Node::new(Op::Dense, vec![x, weight, bias], vec![outputs])
        })
    }

    /// The features as an image, row after row in each channel.
    pub fn image(&self, channels: usize, height: usize, width: usize) -> Self {
        let sizes = vec![channels, height, width];
        self.then(&format!("image({channels}, {height}, {width})"), |x| {
            let pixels = sizes
                .iter()
                .try_fold(1, |product: usize, size| product.checked_mul(*size));
            if pixels != Some(x.width()) {
                return Err(format!("there are {} features", x.width()));
            }
            Node::new(Op::Reshape, vec![x], sizes.clone())
        })
    }

    /// An image's numbers as plain features: channel after channel.
    pub fn flatten(&self) -> Self {
        self.then("flatten", |x| {
            let sizes = vec![x.width()];
            Node::new(Op::Reshape, vec![x], sizes)
        })
    }

    /// A convolution (without flipping, as in all nets) to so many channels.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let image = Expr::points(3 * 32 * 32).image(3, 32, 32);
    /// let h = image.conv2d(8, Window::new(3).stride(2).padding(1));
    /// assert_eq!(format!("{h:?}"), "an expression with 8 x 16 x 16 features");
    /// ```
    pub fn conv2d(&self, channels: usize, window: Window) -> Self {
        self.then(&format!("conv2d({channels}, {window:?})"), |x| {
            let sizes = windows(&x, channels, window)?;
            let taps = vec![channels, x.sizes[0], window.size, window.size];
            let inputs = x.sizes[0] * window.size * window.size;
            let weight = Node::parameter(Initial::Uniform { inputs }, taps)?;
            let bias = Node::parameter(Initial::Uniform { inputs }, vec![channels])?;
            Node::new(Op::Convolution(window), vec![x, weight, bias], sizes)
        })
    }

    /// The reverse of a convolution, to so many channels: each pixel adds its multiple of a window to an image whose
    /// side is (side - 1) stride + size - 2 padding.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let small = Expr::points(64).image(4, 4, 4);
    /// let image = small.conv_transpose2d(1, Window::new(4).stride(2).padding(1));
    /// assert_eq!(format!("{image:?}"), "an expression with 1 x 8 x 8 features");
    /// ```
    pub fn conv_transpose2d(&self, channels: usize, window: Window) -> Self {
        self.then(&format!("conv_transpose2d({channels}, {window:?})"), |x| {
            let [own, height, width] = image_sizes(&x)?;
            let (Some(height), Some(width)) = (window.side(height), window.side(width)) else {
                return Err(misplaced(&x));
            };
            if channels == 0 {
                return Err(misplaced(&x));
            }
            let taps = vec![own, channels, window.size, window.size];
            let inputs = channels * window.size * window.size;
            let weight = Node::parameter(Initial::Uniform { inputs }, taps)?;
            let bias = Node::parameter(Initial::Uniform { inputs }, vec![channels])?;
            let sizes = vec![channels, height, width];
            Node::new(
                Op::TransposedConvolution(window),
                vec![x, weight, bias],
                sizes,
            )
        })
    }

    /// The mean over each window, channel by channel.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let image = Expr::points(4).image(1, 2, 2);
    /// let net = Net::new(image.average_pool(Window::new(2)), 0)?;
    /// assert_eq!(net.in_double().energy(&[1.0, 2.0, 3.0, 4.0])?, 2.5);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn average_pool(&self, window: Window) -> Self {
        self.then(&format!("average_pool({window:?})"), |x| {
            let channels = x.sizes.first().copied().unwrap_or(0);
            let sizes = windows(&x, channels, window)?;
            Node::new(Op::Pool(window), vec![x], sizes)
        })
    }

    /// Rows of a table, `categories x width`, that starts in N(0, 1): of the code in a column of the points, a whole
    /// number from 0 on. The energy has no slope along that column.
    ///
    /// # Examples
    /// A measurement, and a code of three categories beside it:
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let x = Expr::points(2);
    /// let h = Expr::concat([&x.slice(0..1), &x.embedding(1, 3, 4)]);
    /// let net = Net::new(h.dense(16).silu().dense(1), 0)?;
    /// assert!(net.in_double().energy(&[0.3, 2.0])?.is_finite());
    /// let error = net.in_double().energy(&[0.3, 3.0]).unwrap_err();
    /// assert!(error.to_string().contains("column 1 holds 3"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn embedding(&self, column: usize, categories: usize, width: usize) -> Self {
        self.then(
            &format!("embedding({column}, {categories}, {width})"),
            |x| {
                if !matches!(x.op, Op::Points) {
                    return Err("codes are columns of the points: call it on `Expr::points`".into());
                }
                if column >= x.width() || categories == 0 || width == 0 {
                    return Err(format!(
                        "columns are 0 to {}, and neither size is 0",
                        x.width() - 1
                    ));
                }
                let table = Node::parameter(Initial::Normal, vec![categories, width])?;
                Node::new(Op::Embedding(column), vec![x, table], vec![width])
            },
        )
    }

    /// |x - c_k|² to K centres, which start in N(0, 1).
    ///
    /// # Examples
    /// A mixture of five Gaussians:
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let distances = Expr::points(2).squared_distances(5).named("centres");
    /// let net = Net::new(-(distances * -0.5).log_sum_exp(), 0)?;
    /// assert_eq!(net.parameters()[0].1.sizes(), [5, 2]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn squared_distances(&self, centres: usize) -> Self {
        self.then(&format!("squared_distances({centres})"), |x| {
            if centres == 0 {
                return Err("there is at least one centre".into());
            }
            let table = Node::parameter(Initial::Normal, vec![centres, x.width()])?;
            Node::new(Op::Distances, vec![x, table], vec![centres])
        })
    }

    /// Σ x over the features.
    pub fn sum(&self) -> Self {
        self.then("sum", |x| Node::new(Op::Sum, vec![x], vec![1]))
    }

    /// Σ x / n over the n features.
    pub fn mean(&self) -> Self {
        match &self.0 {
            Ok(x) => self.sum() * (1.0 / x.width() as f64),
            Err(_) => self.clone(),
        }
    }

    /// ln Σ e^x over the features, for numbers of any size.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let net = Net::new(Expr::points(2).log_sum_exp(), 0)?;
    /// let energy = net.in_double().energy(&[1000.0, 1000.0])?;
    /// assert!((energy - 1000.0 - 2f64.ln()).abs() < 1e-9);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn log_sum_exp(&self) -> Self {
        let largest = self.then("log_sum_exp", |x| Node::new(Op::Largest, vec![x], vec![1]));
        (self - &largest).exp().sum().ln() + largest
    }

    /// The features of several expressions, one behind the other.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let x = Expr::points(2);
    /// let both = Expr::concat([&x, &x.sin()]);
    /// assert_eq!(format!("{both:?}"), "an expression with 4 features");
    /// ```
    pub fn concat<'a>(parts: impl IntoIterator<Item = &'a Expr>) -> Self {
        let parts: Vec<&Expr> = parts.into_iter().collect();
        Self::of("concat", || {
            let mut inputs = Vec::new();
            for part in &parts {
                match &part.0 {
                    Ok(node) => inputs.push(Arc::clone(node)),
                    Err(reason) => return Err(reason.to_string()),
                }
            }
            if inputs.is_empty() {
                return Err("there is nothing to join".into());
            }
            let sizes = vec![inputs.iter().map(|input| input.width()).sum()];
            Node::new(Op::Concat, inputs, sizes)
        })
    }

    /// The features of these numbers, counted from 0.
    pub fn slice(&self, features: Range<usize>) -> Self {
        self.then(&format!("slice({features:?})"), |x| {
            if features.is_empty() || features.end > x.width() {
                return Err(format!(
                    "there are {} features, and at least one is taken",
                    x.width()
                ));
            }
            Node::new(Op::Slice(features.start), vec![x], vec![features.len()])
        })
    }

    /// ln(1 + e^x).
    pub fn softplus(&self) -> Self {
        self.function(Function::Softplus)
    }

    /// x σ(x).
    pub fn silu(&self) -> Self {
        self.function(Function::Silu)
    }

    /// max(x, 0).
    pub fn relu(&self) -> Self {
        self.function(Function::LeakyRelu(0.0))
    }

    /// x, or `slope` x where x ≤ 0.
    pub fn leaky_relu(&self, slope: f64) -> Self {
        self.function(Function::LeakyRelu(slope))
    }

    /// x, or α (e^x - 1) where x ≤ 0.
    pub fn elu(&self, alpha: f64) -> Self {
        self.relu() + alpha * ((-(-self).relu()).exp() - 1.0)
    }

    /// x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))), which is near x Φ(x).
    pub fn gelu(&self) -> Self {
        let inner = (self + self.powi(3) * 0.044_715) * (2.0 / std::f64::consts::PI).sqrt();
        self * (inner.tanh() * 0.5 + 0.5)
    }

    /// tanh x.
    pub fn tanh(&self) -> Self {
        self.function(Function::Tanh)
    }

    /// 1/(1 + e^-x).
    pub fn sigmoid(&self) -> Self {
        self.function(Function::Sigmoid)
    }

    /// sin x.
    pub fn sin(&self) -> Self {
        self.function(Function::Sin)
    }

    /// cos x.
    pub fn cos(&self) -> Self {
        self.function(Function::Cos)
    }

    /// e^x.
    pub fn exp(&self) -> Self {
        self.function(Function::Exp)
    }

    /// ln x.
    pub fn ln(&self) -> Self {
        self.function(Function::Ln)
    }

    /// √x.
    pub fn sqrt(&self) -> Self {
        self.function(Function::Sqrt)
    }

    /// x².
    pub fn square(&self) -> Self {
        self.powi(2)
    }

    /// x^n, for any whole n.
    pub fn powi(&self, n: i32) -> Self {
        self.function(Function::Power(n))
    }

    /// x^p of positive x, for any p.
    ///
    /// # Examples
    /// ```
    /// use energy_discrepancy::prelude::*;
    ///
    /// let net = Net::new(Expr::points(1).powf(1.5), 0)?;
    /// assert!((net.in_double().energy(&[4.0])? - 8.0).abs() < 1e-12);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn powf(&self, p: f64) -> Self {
        (self.ln() * p).exp()
    }

    pub(super) fn function(&self, function: Function) -> Self {
        self.then(function.name(), |x| {
            if let Function::LeakyRelu(slope) = function
                && !slope.is_finite()
            {
                return Err(format!("the slope is {slope}, and must be finite"));
            }
            let sizes = x.sizes.clone();
            Node::new(Op::Function(function), vec![x], sizes)
        })
    }

    pub(super) fn affine(&self, by: f64, plus: f64) -> Self {
        if let Some(number) = self.constant() {
            return Self::from(by * number + plus);
        }
        self.then("arithmetic", |x| {
            if !by.is_finite() || !plus.is_finite() {
                return Err("a number in it is not finite".into());
            }
            let sizes = x.sizes.clone();
            Node::new(Op::Affine { by, plus }, vec![x], sizes)
        })
    }

    fn plus(&self, other: &Expr) -> Self {
        match (self.constant(), other.constant()) {
            (_, Some(number)) => self.affine(1.0, number),
            (Some(number), _) => other.affine(1.0, number),
            _ => self.with(other, "+", Op::Add),
        }
    }

    fn times(&self, other: &Expr) -> Self {
        match (self.constant(), other.constant()) {
            (_, Some(number)) => self.affine(number, 0.0),
            (Some(number), _) => other.affine(number, 0.0),
            _ => self.with(other, "*", Op::Multiply),
        }
    }

    fn over(&self, other: &Expr) -> Self {
        match other.constant() {
            Some(number) => self.affine(1.0 / number, 0.0),
            None => self.times(&other.powi(-1)),
        }
    }

    fn constant(&self) -> Option<f64> {
        match self.0.as_deref() {
            Ok(Node {
                op: Op::Constant(number),
                ..
            }) => Some(*number),
            _ => None,
        }
    }

    fn with(&self, other: &Expr, operation: &str, op: Op) -> Self {
        self.then(operation, |a| {
            let b = match &other.0 {
                Ok(node) => Arc::clone(node),
                Err(reason) => return Err(reason.to_string()),
            };
            let sizes = match (a.width(), b.width()) {
                (_, 1) => a.sizes.clone(),
                (1, _) => b.sizes.clone(),
                _ if a.sizes == b.sizes => a.sizes.clone(),
                _ => {
                    return Err(format!(
                        "of {} and {} features: they must be as many, or one side a single one",
                        told(&a.sizes),
                        told(&b.sizes)
                    ));
                }
            };
            Node::new(op, vec![a, b], sizes)
        })
    }

    /// A node of these inputs, for rewriting: no reader's mistakes in it.
    pub(super) fn node(op: Op, inputs: Vec<Arc<Node>>, sizes: Vec<usize>) -> Self {
        Self::of("derivative", || Node::new(op, inputs, sizes))
    }

    /// One feature as so many.
    pub(super) fn spread(&self, sizes: &[usize]) -> Self {
        match &self.0 {
            Ok(x) if x.sizes != sizes => {
                Self::node(Op::Spread, vec![Arc::clone(x)], sizes.to_vec())
            }
            _ => self.clone(),
        }
    }

    /// What comes behind this expression, if it is one.
    fn then(
        &self,
        operation: &str,
        make: impl FnOnce(Arc<Node>) -> Result<Arc<Node>, String>,
    ) -> Self {
        match &self.0 {
            Ok(node) => Self::of(operation, || make(Arc::clone(node))),
            Err(_) => self.clone(),
        }
    }

    fn of(operation: &str, make: impl FnOnce() -> Result<Arc<Node>, String>) -> Self {
        Self(make().map_err(|reason| match reason.starts_with('`') {
            true => reason.into(), // of a part
            false => format!("`{operation}` {reason}").into(),
        }))
    }

    pub(super) fn checked(&self) -> Result<&Arc<Node>, Error> {
        self.0.as_ref().map_err(|reason| Error::Energy {
            energy: "expression".into(),
            reason: reason.to_string(),
        })
    }
}

/// The category that a point's number is the code of.
pub(super) fn code(number: f64, column: usize, categories: usize) -> Result<usize, Error> {
    if number >= 0.0 && number < categories as f64 && number.fract() == 0.0 {
        return Ok(number as usize);
    }
    Err(Error::Energy {
        energy: "expression".into(),
        reason: format!(
            "`embedding`: column {column} holds {number}, and codes are whole numbers from 0 to {}",
            categories - 1
        ),
    })
}

/// Channels, height and width of an image.
fn image_sizes(x: &Node) -> Result<[usize; 3], String> {
    x.sizes[..]
        .try_into()
        .map_err(|_| "is of images: put `image(channels, height, width)` before it".into())
}

/// What is wrong with windows over an image.
fn misplaced(x: &Node) -> String {
    format!(
        "does not fit {}: the window lies within the padded image, its stride is not 0, its padding smaller than \
         itself, and there is at least one channel",
        told(&x.sizes)
    )
}

/// The sizes behind windows over an image.
fn windows(x: &Node, channels: usize, window: Window) -> Result<Vec<usize>, String> {
    let [_, height, width] = image_sizes(x)?;
    match (window.count(height), window.count(width)) {
        (Some(height), Some(width)) if channels > 0 => Ok(vec![channels, height, width]),
        _ => Err(misplaced(x)),
    }
}

/// What it computes, in a line.
impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(node) => write!(f, "an expression with {} features", told(&node.sizes)),
            Err(reason) => write!(f, "no expression: {reason}"),
        }
    }
}

impl From<&Expr> for Expr {
    fn from(expression: &Expr) -> Self {
        expression.clone()
    }
}

impl From<f64> for Expr {
    fn from(number: f64) -> Self {
        Self::node(Op::Constant(number), Vec::new(), vec![1])
    }
}

impl Neg for &Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        self.affine(-1.0, 0.0)
    }
}

impl Neg for Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        -&self
    }
}

/// Each operator for expressions, borrowed or not, and numbers on either side: sixteen impls of one line each.
macro_rules! operator {
    ($trait:ident, $method:ident, |$a:ident, $b:ident| $result:expr) => {
        impl<R: Into<Expr>> $trait<R> for Expr {
            type Output = Expr;
            fn $method(self, other: R) -> Expr {
                let ($a, $b) = (&self, &other.into());
                $result
            }
        }
        impl<R: Into<Expr>> $trait<R> for &Expr {
            type Output = Expr;
            fn $method(self, other: R) -> Expr {
                let ($a, $b) = (self, &other.into());
                $result
            }
        }
        impl $trait<Expr> for f64 {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr {
                let ($a, $b) = (&Expr::from(self), &other);
                $result
            }
        }
        impl $trait<&Expr> for f64 {
            type Output = Expr;
            fn $method(self, other: &Expr) -> Expr {
                let ($a, $b) = (&Expr::from(self), other);
                $result
            }
        }
    };
}

operator!(Add, add, |a, b| a.plus(b));
operator!(Sub, sub, |a, b| a.plus(&-b));
operator!(Mul, mul, |a, b| a.times(b));
operator!(Div, div, |a, b| a.over(b));
