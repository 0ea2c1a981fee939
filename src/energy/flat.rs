//! A net's parameters in one list.

use crate::tensors::{Values, append};
use std::cell::Cell;

/// Parameters as they are now, one behind the other, for the fused kernels.
///
/// dfdx keeps a tensor's values to itself; the copy costs about a hundredth of a training step. Its memory is kept for
/// the next copy: to map it anew in each step would cost several times that.
#[derive(Debug)]
pub(super) struct Flat(Vec<f32>);

thread_local! {
    /// The memory of the last copy that is no longer used.
    static SPARE: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

impl Flat {
    /// The values of these tensors.
    pub(super) fn of<'a>(tensors: impl Iterator<Item = &'a Values>) -> Self {
        let mut list = SPARE.take();
        list.clear();
        for values in tensors {
            append(values, &mut list);
        }
        Self(list)
    }

    pub(super) fn numbers(&self) -> &[f32] {
        &self.0
    }
}

impl Drop for Flat {
    fn drop(&mut self) {
        // At a thread's end there may be no place left to keep it: then it is freed.
        let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.0)));
    }
}
