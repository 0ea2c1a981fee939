//! What a reader sees while a latent model is trained.

use super::{Decoder, Generator, LatentHistory};
use crate::backend::read;
use crate::energy::Points;
use crate::notebook::{Live, Progress};
use crate::plot::{Chart, Figure, ImageGrid};

/// Every how many iterations the images are drawn again, and how many.
const BETWEEN: usize = 200;
const IMAGES: usize = 12;

/// A bar, both losses, and a strip of images above their reconstructions.
pub(super) struct Shown(Option<Displays>);

struct Displays {
    progress: Progress,
    curves: Live,
    strip: Live,
    last: Option<Figure>,
    /// Height and width of an image.
    size: (usize, usize),
}

impl Shown {
    /// Of a run of `total` iterations, of which `first` were done before; nothing unless `is_wanted`.
    pub(super) fn new(is_wanted: bool, first: usize, total: usize, size: (usize, usize)) -> Self {
        Self(is_wanted.then(|| Displays {
            progress: Progress::new(first, total),
            curves: Live::new(),
            strip: Live::new(),
            last: None,
            size,
        }))
    }

    /// After an iteration on these images with these latent points.
    pub(super) fn after(
        &mut self,
        step: usize,
        history: &LatentHistory,
        generator: &Generator,
        (images, latents): (&Points, &Points),
    ) {
        let Some(displays) = &mut self.0 else {
            return;
        };
        displays.progress.at(step, || says(history));
        // A picture that cannot be drawn is no reason to end the training.
        let _ = displays.curves.show(|| curves(history));
        if (step.is_multiple_of(BETWEEN) || step == 1)
            && let Ok(decoded) = generator.decode(latents)
        {
            let strip = strip(&read(images), &read(&decoded), displays.size, step);
            let _ = displays.strip.show(|| strip.clone());
            displays.last = Some(strip);
        }
    }

    /// At the end, whatever it is.
    pub(super) fn finish(self, history: &LatentHistory) {
        let Some(displays) = self.0 else {
            return;
        };
        let done = history.generator().len();
        displays.progress.finish(done, &says(history));
        let _ = displays.curves.finish(&curves(history));
        if let Some(strip) = displays.last {
            let _ = displays.strip.finish(&strip);
        }
    }
}

/// Both losses of the last iterations.
fn says(history: &LatentHistory) -> String {
    let recent = |losses: &[f64]| {
        let recent = &losses[losses.len().saturating_sub(50)..];
        recent.iter().sum::<f64>() / recent.len() as f64
    };
    let (generator, prior) = (history.generator(), history.prior());
    match generator.len() {
        0 => String::new(),
        done => format!(
            "epoch {}   generator {:.2}   prior {:.4}",
            history.epoch_of(done - 1) + 1,
            recent(generator),
            recent(prior)
        ),
    }
}

fn curves(history: &LatentHistory) -> Figure {
    history.figure().size(420, 230)
}

/// The first images in one row, and below each what the generator makes of its latent point.
fn strip(images: &[f32], decoded: &[f32], size: (usize, usize), step: usize) -> Figure {
    let some = images.len().min(IMAGES * size.0 * size.1);
    let both = [&images[..some], &decoded[..some.min(decoded.len())]].concat();
    let grid = ImageGrid::new(&both, size).columns(some / (size.0 * size.1).max(1));
    Chart::new(format!(
        "Images and their reconstructions, iteration {step}"
    ))
    .images(grid)
    .figure()
}
