//! Working memory that outlives a call.

use std::cell::RefCell;

/// A cache line, in numbers.
pub(crate) const LINE: usize = 16;

thread_local! {
    /// Buffers that no call is using. One is taken out while it is in use, so that a thread which
    /// starts another kernel within the first (as a waiting rayon thread does) gets another.
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Lends `count` numbers, aligned to a cache line, with whatever the last user left in them.
pub(crate) fn with_scratch<R>(count: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < count + LINE {
        // Not resized: the old content need not be copied.
        buffer = vec![0.0; count + LINE];
    }
    let start = buffer
        .as_ptr()
        .align_offset(LINE * size_of::<f32>())
        .min(LINE);
    let result = work(&mut buffer[start..start + count]);
    FREE.with_borrow_mut(|free| free.push(buffer));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_loans_are_apart_and_aligned() {
        with_scratch(5, |outer| {
            outer.fill(1.0);
            with_scratch(7, |inner| {
                inner.fill(2.0);
                assert!(inner.as_ptr().addr().is_multiple_of(64));
            });
            assert_eq!(outer, [1.0; 5]);
            assert!(outer.as_ptr().addr().is_multiple_of(64));
        });
        with_scratch(0, |empty| assert!(empty.is_empty()));
    }
}
