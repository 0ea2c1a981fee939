//! Working memory that outlives a call.

use std::cell::RefCell;
use std::thread::LocalKey;

/// A cache line, in single precision.
pub(crate) const LINE: usize = 16;

/// What lists of working memory hold: numbers of single or double precision.
pub(crate) trait Number: Copy + Default + 'static {
    /// The thread's buffers that no call is using. One is taken out while it is in use, so that a thread which
    /// starts another kernel within the first (as a waiting rayon thread does) gets another.
    fn free() -> &'static LocalKey<Free<Self>>;
}

pub(crate) type Free<N> = RefCell<Vec<Vec<N>>>;

impl Number for f32 {
    fn free() -> &'static LocalKey<Free<f32>> {
        thread_local!(static FREE: Free<f32> = const { RefCell::new(Vec::new()) });
        &FREE
    }
}

impl Number for f64 {
    fn free() -> &'static LocalKey<Free<f64>> {
        thread_local!(static FREE: Free<f64> = const { RefCell::new(Vec::new()) });
        &FREE
    }
}

/// Lends `count` numbers, aligned to a cache line, with whatever the last user left in them.
pub(crate) fn with_scratch<N: Number, R>(count: usize, work: impl FnOnce(&mut [N]) -> R) -> R {
    let mut buffer = N::free().with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < count + LINE {
        // Not resized: the old content need not be copied.
        buffer = vec![N::default(); count + LINE];
    }
    let start = buffer
        .as_ptr()
        .align_offset(LINE * size_of::<f32>())
        .min(LINE);
    let result = work(&mut buffer[start..start + count]);
    N::free().with_borrow_mut(|free| free.push(buffer));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_loans_are_apart_and_aligned() {
        with_scratch(5, |outer: &mut [f32]| {
            outer.fill(1.0);
            with_scratch(7, |inner: &mut [f32]| {
                inner.fill(2.0);
                assert!(inner.as_ptr().addr().is_multiple_of(64));
            });
            assert_eq!(outer, [1.0; 5]);
            assert!(outer.as_ptr().addr().is_multiple_of(64));
        });
        with_scratch(0, |empty: &mut [f64]| assert!(empty.is_empty()));
    }
}
