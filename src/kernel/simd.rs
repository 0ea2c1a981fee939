//! Which vector instructions a kernel is compiled for, chosen when the program runs.
//!
//! A kernel is written once, as a [`Kernel`], and compiled for each [`Level`]: loops over slices
//! inside it are vectorised by the compiler for the level's instructions, and the matrix product
//! works on the level's vectors itself. pulp supplies both without `unsafe` here.

use super::transpose::{self, Square};
#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};
use pulp::{Scalar128b, Simd};
use std::sync::OnceLock;

/// A set of vector instructions that this machine is known to have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    /// 16 numbers at a time.
    #[cfg(target_arch = "x86_64")]
    Avx512(V4),
    /// 8 numbers at a time, with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2(V3),
    /// What every machine of the architecture has: 4 numbers at a time, nothing fused.
    Plain(Scalar128b),
    /// The shape of AVX-512's vectors and tiles without its instructions.
    #[cfg(test)]
    Wide(pulp::Scalar512b),
}

impl Level {
    const PLAIN: Self = Self::Plain(Scalar128b);

    /// The widest level of this machine, or the one that the environment variable `ED_SIMD` names
    /// (`avx512`, `avx2` or `plain`) if the machine has it. It is looked up once.
    pub(crate) fn best() -> Self {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| {
            let wanted = std::env::var("ED_SIMD").unwrap_or_default();
            let available = Self::available();
            let named = available.iter().find(|level| level.name() == wanted);
            named.or(available.first()).copied().unwrap_or(Self::PLAIN)
        })
    }

    /// All levels that this machine has, the widest first.
    pub(crate) fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let wide = [
            V4::try_new().map(Self::Avx512),
            V3::try_new().map(Self::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let wide = [None];
        let levels = wide.into_iter().flatten().chain([Self::PLAIN]);
        #[cfg(test)]
        let levels = levels.chain([Self::Wide(pulp::Scalar512b)]);
        levels.collect()
    }

    /// The level's name, as `ED_SIMD` takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            Self::Plain(_) => "plain",
            #[cfg(test)]
            Self::Wide(_) => "wide",
        }
    }

    /// Runs the kernel with this level's instructions.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(width) => width.vectorize(At { kernel, width }),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(width) => width.vectorize(At { kernel, width }),
            Self::Plain(width) => kernel.run(width),
            #[cfg(test)]
            Self::Wide(width) => kernel.run(width),
        }
    }
}

/// A computation that is compiled for each level.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;

    /// Computes. It and all that it calls must be `#[inline(always)]`: a function that is not
    /// inlined is compiled for the plain level.
    fn run<W: Width>(self, width: W) -> Self::Output;
}

/// One level's vectors, and how it multiplies and adds.
pub(crate) trait Width: Simd {
    /// Whether a multiplication and an addition are one instruction, rounded once.
    const FUSED: bool;
    /// Rows of a matrix product's tile: as many as two registers each leave some free.
    const HEIGHT: usize;

    /// a b + c.
    #[inline(always)]
    fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
        if Self::FUSED {
            a.mul_add(b, c)
        } else {
            a * b + c
        }
    }

    /// a b + c in each lane.
    #[inline(always)]
    fn multiply_add_lanes(self, a: Self::f32s, b: Self::f32s, c: Self::f32s) -> Self::f32s {
        if Self::FUSED {
            self.mul_add_f32s(a, b, c)
        } else {
            self.add_f32s(self.mul_f32s(a, b), c)
        }
    }

    /// The transpose of a square of numbers.
    #[inline(always)]
    fn transpose(self, square: Square) -> Square {
        transpose::plain(square)
    }
}

#[cfg(target_arch = "x86_64")]
impl Width for V4 {
    const FUSED: bool = true;
    const HEIGHT: usize = 12;

    #[inline(always)]
    fn transpose(self, square: Square) -> Square {
        transpose::avx(*self, square)
    }
}

#[cfg(target_arch = "x86_64")]
impl Width for V3 {
    const FUSED: bool = true;
    const HEIGHT: usize = 6;

    #[inline(always)]
    fn transpose(self, square: Square) -> Square {
        transpose::avx(self, square)
    }
}

impl Width for Scalar128b {
    const FUSED: bool = false;
    const HEIGHT: usize = 6;
}

#[cfg(test)]
impl Width for pulp::Scalar512b {
    const FUSED: bool = false;
    const HEIGHT: usize = 12;
}

/// A kernel bound to a level. pulp inlines `call` into a function compiled for that level, which
/// a closure would not promise.
struct At<K, W> {
    kernel: K,
    width: W,
}

impl<K: Kernel, W: Width> pulp::NullaryFnOnce for At<K, W> {
    type Output = K::Output;

    #[inline(always)]
    fn call(self) -> K::Output {
        self.kernel.run(self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_level_is_available() {
        let names: Vec<_> = Level::available().into_iter().map(Level::name).collect();
        assert!(names.contains(&Level::best().name()), "{names:?}");
        assert!(names.contains(&"plain"));
    }
}
