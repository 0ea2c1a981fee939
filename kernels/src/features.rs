//! Simple steps on the features of a block.

use super::channels::{Channels, parts, parts_mut};
use super::graph::Lists;
use super::program::Into;
use super::simd::{Kernel, Width};

/// To = by x + plus; the second in the values alone.
pub(crate) struct Affine<'a> {
    pub(crate) channels: Channels,
    pub(crate) by: f32,
    pub(crate) plus: f32,
    /// None for what is there.
    pub(crate) from: Option<&'a [f32]>,
    pub(crate) to: &'a mut [f32],
    pub(crate) into: Into,
}

impl Kernel for Affine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let Channels {
            columns, stride, ..
        } = self.channels;
        let all = self.channels.all();
        let by = self.by;
        match self.from {
            None => {
                for to in self.to.chunks_exact_mut(stride) {
                    to[..all].iter_mut().for_each(|to| *to *= by);
                }
            }
            Some(from) => {
                let features = self
                    .to
                    .chunks_exact_mut(stride)
                    .zip(from.chunks_exact(stride));
                for (to, from) in features {
                    put(self.into, &mut to[..all], &from[..all], |from| by * from);
                }
            }
        }
        if self.plus != 0.0 {
            for to in self.to.chunks_exact_mut(stride) {
                to[..columns].iter_mut().for_each(|to| *to += self.plus);
            }
        }
    }
}

/// The same features elsewhere, or a factor of what is there.
pub(crate) struct Copy<'a> {
    pub(crate) channels: Channels,
    pub(crate) from: &'a [f32],
    pub(crate) to: &'a mut [f32],
    pub(crate) into: Into,
}

impl Kernel for Copy<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let (stride, all) = (self.channels.stride, self.channels.all());
        let features = self.to.chunks_exact_mut(stride);
        for (to, from) in features.zip(self.from.chunks_exact(stride)) {
            put(self.into, &mut to[..all], &from[..all], |from| from);
        }
    }
}

/// Sums of features in lists.
pub(crate) struct Sum<'a> {
    pub(crate) channels: Channels,
    pub(crate) lists: &'a Lists,
    pub(crate) scale: f32,
    pub(crate) from: &'a [f32],
    pub(crate) to: &'a mut [f32],
    pub(crate) into: Into,
}

impl Kernel for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let (stride, all) = (self.channels.stride, self.channels.all());
        for (to, list) in self.to.chunks_exact_mut(stride).zip(self.lists.iter()) {
            let to = &mut to[..all];
            if self.into == Into::Store {
                to.fill(0.0);
            }
            for feature in list {
                let from = &self.from[feature * stride..][..all];
                if self.scale == 1.0 {
                    put(Into::Add, to, from, |from| from);
                } else {
                    put(Into::Add, to, from, |from| self.scale * from);
                }
            }
        }
    }
}

/// The largest feature of each row, as a constant.
pub(crate) struct Largest<'a> {
    pub(crate) channels: Channels,
    pub(crate) from: &'a [f32],
    pub(crate) to: &'a mut [f32],
}

impl Kernel for Largest<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let Channels {
            columns, stride, ..
        } = self.channels;
        self.to.fill(0.0);
        let to = &mut self.to[..columns];
        to.fill(f32::NEG_INFINITY);
        for from in self.from.chunks_exact(stride) {
            for (to, from) in to.iter_mut().zip(from) {
                *to = if *from > *to { *from } else { *to };
            }
        }
    }
}

/// a b.
pub(crate) struct Multiply<'a> {
    pub(crate) channels: Channels,
    pub(crate) a: &'a [f32],
    pub(crate) b: &'a [f32],
    pub(crate) to: &'a mut [f32],
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let channels = self.channels;
        let (n, stride) = (channels.columns, channels.stride);
        let factors = self.a.chunks_exact(stride).zip(self.b.chunks_exact(stride));
        for (to, (a, b)) in self.to.chunks_exact_mut(stride).zip(factors) {
            if !channels.are_jets() {
                for (to, (a, b)) in to[..n].iter_mut().zip(a.iter().zip(b)) {
                    *to = a * b;
                }
                continue;
            }
            let ((a, a_slopes, a_bend), (b, b_slopes, b_bend)) =
                (channels.split(a), channels.split(b));
            let (value, slopes, bend, _) = channels.split_mut(to);
            for r in 0..n {
                value[r] = a[r] * b[r];
                bend[r] = W::multiply_add(a[r], b_bend[r], a_bend[r] * b[r]);
            }
            let each = parts(a_slopes, n).zip(parts(b_slopes, n));
            for (slope, (a_slope, b_slope)) in parts_mut(slopes, n).zip(each) {
                for r in 0..n {
                    slope[r] = W::multiply_add(a[r], b_slope[r], a_slope[r] * b[r]);
                    bend[r] = W::multiply_add(2.0 * a_slope[r], b_slope[r], bend[r]);
                }
            }
        }
    }
}

/// What the derivatives with respect to a b mean for a.
///
/// With jets: value g_v b + Σ_k g_k b_k + g_q b_q; slopes g_k b + 2 g_q b_k; bend g_q b.
pub(crate) struct Unmultiply<'a> {
    pub(crate) channels: Channels,
    pub(crate) outer: &'a [f32],
    /// b.
    pub(crate) other: &'a [f32],
    pub(crate) to: &'a mut [f32],
    pub(crate) into: Into,
}

impl Kernel for Unmultiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Width>(self, _: W) {
        let channels = self.channels;
        let (n, stride) = (channels.columns, channels.stride);
        let factors = self
            .outer
            .chunks_exact(stride)
            .zip(self.other.chunks_exact(stride));
        for (to, (outer, b)) in self.to.chunks_exact_mut(stride).zip(factors) {
            if self.into == Into::Store {
                to[..channels.all()].fill(0.0);
            }
            if !channels.are_jets() {
                for (to, (outer, b)) in to[..n].iter_mut().zip(outer.iter().zip(b)) {
                    *to = W::multiply_add(*outer, *b, *to);
                }
                continue;
            }
            let ((g, g_slopes, g_bend), (b, b_slopes, b_bend)) =
                (channels.split(outer), channels.split(b));
            let (value, slopes, bend, _) = channels.split_mut(to);
            for r in 0..n {
                let both = W::multiply_add(g_bend[r], b_bend[r], value[r]);
                value[r] = W::multiply_add(g[r], b[r], both);
                bend[r] = W::multiply_add(g_bend[r], b[r], bend[r]);
            }
            let each = parts(g_slopes, n).zip(parts(b_slopes, n));
            for (slope, (g_slope, b_slope)) in parts_mut(slopes, n).zip(each) {
                for r in 0..n {
                    let own = W::multiply_add(g_slope[r], b[r], slope[r]);
                    slope[r] = W::multiply_add(2.0 * g_bend[r], b_slope[r], own);
                    value[r] = W::multiply_add(g_slope[r], b_slope[r], value[r]);
                }
            }
        }
    }
}

#[inline(always)]
fn put(into: Into, to: &mut [f32], from: &[f32], f: impl Fn(f32) -> f32) {
    let each = to.iter_mut().zip(from);
    match into {
        Into::Store => each.for_each(|(to, from)| *to = f(*from)),
        Into::Add => each.for_each(|(to, from)| *to += f(*from)),
        Into::Scale => each.for_each(|(to, from)| *to *= f(*from)),
    }
}
