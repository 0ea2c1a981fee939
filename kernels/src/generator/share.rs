//! How threads share the work on a batch.

use super::stack::Stack;
use crate::lanes::each;

/// Images that go through the layers together where threads share the channels. More would not stay in
/// the cache that all cores have.
const TOGETHER: usize = 32;
/// Images that one thread takes at a time through small layers. Their values stay in its own cache, and
/// a thread that gets on faster takes more.
const ALONE: usize = 4;
/// Weights that stay in the cache of each core: with no more of them, threads share the images, and with
/// more the channels.
const FEW: usize = 1 << 18;

/// What threads share: the images, each taking some through all layers, or the channels of a layer.
#[derive(Clone, Copy)]
pub(super) struct Share {
    /// How many images go through the layers together.
    pub(super) images: usize,
    /// Whether threads share the channels.
    pub(super) by_channels: bool,
}

impl Share {
    pub(super) const CHANNELS: Self = Self {
        images: TOGETHER,
        by_channels: true,
    };

    pub(super) fn of(stack: &Stack, rows: usize) -> Self {
        let threads = rayon::current_num_threads();
        if stack.parameters() > FEW || rows < threads {
            return Self::CHANNELS;
        }
        Self {
            images: rows.div_ceil(threads).min(ALONE),
            by_channels: false,
        }
    }

    /// Runs every job, each with its own output.
    pub(super) fn each<J: Send>(
        self,
        jobs: impl Iterator<Item = J>,
        work: impl Fn(J) + Send + Sync,
    ) {
        match self.by_channels {
            true => jobs.for_each(work),
            false => each(jobs, work),
        }
    }
}
