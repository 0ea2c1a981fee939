//! Which vector instructions a kernel is compiled for, chosen when the program runs.
//!
//! A kernel is written once, as a [`Kernel`], and compiled for each [`Level`]: loops over slices
//! inside it are vectorised by the compiler for the level's instructions, and the matrix product
//! works on the level's vectors itself. pulp supplies both without `unsafe` here.

#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};
use pulp::{Scalar128b, Simd};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256;
use std::sync::OnceLock;

/// Edge of the squares that are transposed in registers.
pub(crate) const SQUARE: usize = 8;
/// Eight rows of eight numbers.
pub(crate) type Square = [[f32; SQUARE]; SQUARE];

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
        let mut out = square;
        for (i, row) in out.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                *value = square[j][i];
            }
        }
        out
    }
}

#[cfg(target_arch = "x86_64")]
impl Width for V4 {
    const FUSED: bool = true;
    const HEIGHT: usize = 12;

    #[inline(always)]
    fn transpose(self, square: Square) -> Square {
        transpose(*self, square)
    }
}

#[cfg(target_arch = "x86_64")]
impl Width for V3 {
    const FUSED: bool = true;
    const HEIGHT: usize = 6;

    #[inline(always)]
    fn transpose(self, square: Square) -> Square {
        transpose(self, square)
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

/// The transpose with AVX: pairs of numbers, pairs of pairs, then halves of registers.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn transpose(v3: pulp::x86::V3, square: Square) -> Square {
    let avx = v3.avx;
    let [a, b, c, d, e, f, g, h]: [__m256; SQUARE] = pulp::cast(square);
    let (upper, lower) = (quarters(v3, [a, b, c, d]), quarters(v3, [e, f, g, h]));
    let mut out = [a; SQUARE];
    for i in 0..SQUARE / 2 {
        out[i] = avx._mm256_permute2f128_ps::<0x20>(upper[i], lower[i]);
        out[i + SQUARE / 2] = avx._mm256_permute2f128_ps::<0x31>(upper[i], lower[i]);
    }
    pulp::cast(out)
}

/// Transposes the left four columns of four rows, and beside them the right four.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn quarters(v3: pulp::x86::V3, [a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
    let avx = v3.avx;
    let (low, high) = (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b));
    let (next, last) = (avx._mm256_unpacklo_ps(c, d), avx._mm256_unpackhi_ps(c, d));
    [
        avx._mm256_shuffle_ps::<0x44>(low, next),
        avx._mm256_shuffle_ps::<0xee>(low, next),
        avx._mm256_shuffle_ps::<0x44>(high, last),
        avx._mm256_shuffle_ps::<0xee>(high, last),
    ]
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
