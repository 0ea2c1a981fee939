//! Windows over images.

/// The windows of a convolution or a pooling: squares of `size`, `stride` apart, with `padding` zeros around the
/// image.
///
/// # Examples
/// ```
/// use energy_discrepancy::prelude::*;
///
/// let x = Expr::points(784).image(1, 28, 28);
/// let h = x.conv2d(16, Window::new(5).stride(2).padding(2)).silu(); // 16 x 14 x 14
/// let net = Net::new(h.flatten().dense(1), 0)?;
/// assert_eq!(net.parameters()[0].1.sizes(), [16, 1, 5, 5]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub(super) size: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
}

/// A larger window is a slip, and its taps could be too many to count.
const LARGEST: usize = 4096;

impl Window {
    /// Squares of `size`, one pixel apart, without padding.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            stride: 1,
            padding: 0,
        }
    }

    /// So many pixels apart.
    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// So many zeros around the image.
    pub fn padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    /// The side of the smallest image over which there are so many windows along it.
    pub(super) fn side(self, count: usize) -> Option<usize> {
        let apart = count.checked_sub(1)?.checked_mul(self.stride)?;
        let side = apart
            .checked_add(self.size)?
            .checked_sub(self.padding.checked_mul(2)?)?;
        (self.count(side)? == count).then_some(side)
    }

    /// How many windows there are along a side.
    pub(super) fn count(self, side: usize) -> Option<usize> {
        let room = self
            .padding
            .checked_mul(2)?
            .checked_add(side)?
            .checked_sub(self.size)?;
        let windows = room.checked_div(self.stride)? + 1;
        let is_possible = (1..=LARGEST).contains(&self.size) && self.padding < self.size;
        is_possible.then_some(windows)
    }
}

/// Which pixels of an image lie in each window.
pub(super) struct Taps {
    /// Windows.
    pub(super) pixels: usize,
    /// Numbers in one window of a channel.
    pub(super) size: usize,
    /// Pixels of a channel.
    pub(super) area: usize,
    /// Window by window the pixel of each number, None in the padding.
    pub(super) places: Vec<Option<usize>>,
    channels: usize,
}

impl Taps {
    /// For an image of these sizes, and of these behind the windows.
    pub(super) fn new(from: &[usize], to: &[usize], window: Window) -> Self {
        let (height, width) = (from[1], from[2]);
        let mut places = Vec::new();
        let inside = |at: usize, tap: usize, side: usize| {
            (at * window.stride + tap)
                .checked_sub(window.padding)
                .filter(|at| *at < side)
        };
        for y in 0..to[1] {
            for x in 0..to[2] {
                for dy in 0..window.size {
                    for dx in 0..window.size {
                        let place = inside(y, dy, height).zip(inside(x, dx, width));
                        places.push(place.map(|(y, x)| y * width + x));
                    }
                }
            }
        }
        Self {
            pixels: to[1] * to[2],
            size: window.size * window.size,
            area: height * width,
            places,
            channels: from[0],
        }
    }

    /// Numbers in one window, over all channels.
    pub(super) fn inputs(&self) -> usize {
        self.channels * self.size
    }

    /// Features of the image, window by window, in each channel by channel.
    pub(super) fn of_pixels(&self) -> Vec<Option<usize>> {
        let windows = self.places.chunks(self.size);
        let each = windows.flat_map(|window| {
            (0..self.channels).flat_map(move |channel| {
                window
                    .iter()
                    .map(move |place| place.map(|place| channel * self.area + place))
            })
        });
        each.collect()
    }

    /// The same, channel by channel, in each window by window.
    pub(super) fn of_channels(&self) -> Vec<Option<usize>> {
        let each = (0..self.channels).flat_map(|channel| {
            self.places
                .iter()
                .map(move |place| place.map(|place| channel * self.area + place))
        });
        each.collect()
    }
}
