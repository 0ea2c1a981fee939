//! What a reader sees while a latent model is trained.

use super::{Decoder, Generator, LatentHistory};
use crate::backend::read;
use crate::energy::Points;
use crate::notebook::{Live, Progress};
use crate::plot::{Chart, Figure, ImageGrid};

/// Every how many iterations the images are drawn again, and how many.
const BETWEEN: usize = 200;
const IMAGES: usize = 12;

/// How much of a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visible {
    All,
    Bar,
    Nothing,
}

/// A bar, both losses, and a strip of images above their reconstructions.
pub(super) struct Shown {
    progress: Option<Progress>,
    figures: Option<Figures>,
}

struct Figures {
    curves: Live,
    strip: Live,
    last: Option<Figure>,
    /// Height and width of an image.
    size: (usize, usize),
}

impl Shown {
    /// Of a run of `total` iterations, of which `first` were done before.
    pub(super) fn new(visible: Visible, first: usize, total: usize, size: (usize, usize)) -> Self {
        let figures = || Figures {
            curves: Live::new(),
            strip: Live::new(),
            last: None,
            size,
        };
        Self {
            progress: (visible != Visible::Nothing).then(|| Progress::new(first, total)),
            figures: (visible == Visible::All).then(figures),
        }
    }

    /// After an iteration on these images with these latent points.
    pub(super) fn after(
        &mut self,
        step: usize,
        history: &LatentHistory,
        generator: &Generator,
        (images, latents): (&Points, &Points),
    ) {
        if let Some(progress) = &mut self.progress {
            progress.at(step, || says(history));
        }
        let Some(figures) = &mut self.figures else {
            return;
        };
        // A picture that cannot be drawn is no reason to end the training.
        let _ = figures.curves.show(|| curves(history));
        if (step.is_multiple_of(BETWEEN) || step == 1)
            && let Ok(decoded) = generator.decode(latents)
        {
            let strip = strip(&read(images), &read(&decoded), figures.size, step);
            let _ = figures.strip.show(|| strip.clone());
            figures.last = Some(strip);
        }
    }

    /// At the end, whatever it is.
    pub(super) fn finish(self, history: &LatentHistory) {
        if let Some(progress) = self.progress {
            progress.finish(history.generator().len(), &says(history));
        }
        let Some(figures) = self.figures else {
            return;
        };
        let _ = figures.curves.finish(&curves(history));
        if let Some(strip) = figures.last {
            let _ = figures.strip.finish(&strip);
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
