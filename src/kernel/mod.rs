//! Temporary.
/// Activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// softplus
    Softplus,
    /// silu
    Silu,
    /// leaky
    LeakyRelu(f32),
    /// tanh
    Tanh,
}
/// Network
#[derive(Clone, Debug)]
pub struct Network<'a> {
    /// w
    pub widths: &'a [usize],
    /// a
    pub activation: Activation,
    /// w
    pub weights: Vec<&'a [f32]>,
    /// b
    pub biases: Vec<&'a [f32]>,
}
