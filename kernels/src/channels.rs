//! What is carried beside the value of each feature.

/// How the numbers of one feature lie: channel after channel, each with one number for each row of points.
///
/// There is one channel, the value; or a value, its slopes along K directions, the sum of the second derivatives along
/// them (the bend), and behind these room for one number more, the seed that a function leaves for the way back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channels {
    /// 1, or K + 2.
    pub(crate) count: usize,
    /// Columns in each channel.
    pub(crate) columns: usize,
    /// From one feature to the next.
    pub(crate) stride: usize,
}

impl Channels {
    /// Columns of all channels.
    pub(crate) fn all(&self) -> usize {
        self.count * self.columns
    }

    pub(crate) fn are_jets(&self) -> bool {
        self.count > 1
    }

    fn slopes(&self) -> usize {
        (self.count - 2) * self.columns
    }

    /// One feature's value, slopes and bend.
    #[inline(always)]
    pub(crate) fn split<'a>(&self, feature: &'a [f32]) -> (&'a [f32], &'a [f32], &'a [f32]) {
        let (value, rest) = feature.split_at(self.columns);
        let (slopes, rest) = rest.split_at(self.slopes());
        (value, slopes, &rest[..self.columns])
    }

    /// The same with the seed.
    #[inline(always)]
    pub(crate) fn split_mut<'a>(
        &self,
        feature: &'a mut [f32],
    ) -> (&'a mut [f32], &'a mut [f32], &'a mut [f32], &'a mut [f32]) {
        let (value, rest) = feature.split_at_mut(self.columns);
        let (slopes, rest) = rest.split_at_mut(self.slopes());
        let (bend, rest) = rest.split_at_mut(self.columns);
        (value, slopes, bend, &mut rest[..self.columns])
    }
}

/// The parts of a slice, of n numbers each. The slices' own chunks would cost a division each time, which a feature's
/// few hundred cycles would feel.
#[inline(always)]
pub(crate) fn parts(mut rest: &[f32], n: usize) -> impl Iterator<Item = &[f32]> {
    std::iter::from_fn(move || {
        let (part, after) = rest.split_at_checked(n)?;
        rest = after;
        Some(part)
    })
}

/// The same to be written.
#[inline(always)]
pub(crate) fn parts_mut(mut rest: &mut [f32], n: usize) -> impl Iterator<Item = &mut [f32]> {
    std::iter::from_fn(move || rest.split_off_mut(..n))
}
