//! A batch of any size, forward and back, some images at a time.

use super::panels::Packed;
use super::pass::Pass;
use super::share::Share;
use super::stack::Stack;
use crate::Misfit;
use crate::network::check;
use crate::scratch::with_scratch;

/// The pictures of latent points z (`rows x latent`), `rows x pixels`.
///
/// # Errors
/// If a slice's length does not fit.
pub fn forward(
    stack: &Stack,
    packed: &Packed,
    z: &[f32],
    images: &mut [f32],
) -> Result<(), Misfit> {
    let rows = rows(stack, z)?;
    check("the images", images.len(), rows * stack.pixels())?;
    let share = Share::of(stack, rows);
    let z = z.chunks(share.images * stack.latent());
    let jobs = z.zip(images.chunks_mut(share.images * stack.pixels()));
    share.each(jobs, |(z, images)| {
        let pass = Pass::new(stack, packed, z.len() / stack.latent(), share);
        with_scratch(pass.values(), |values| pass.forward(z, values, images));
    });
    Ok(())
}

/// The gradients that a backward pass is to give.
#[derive(Default)]
pub struct Wanted<'a> {
    /// ∂L/∂z, `rows x latent`; overwritten.
    pub z: Option<&'a mut [f32]>,
    /// ∂L/∂θ in the order W_1, b_1, W_2, ...; overwritten.
    pub parameters: Option<&'a mut [f32]>,
}

/// Each picture's loss, and the gradients of their sum. `loss` gets a row, its picture and the place for
/// ∂L/∂(picture), and returns the row's loss.
///
/// # Errors
/// If a slice's length does not fit.
pub fn backward(
    stack: &Stack,
    packed: &Packed,
    z: &[f32],
    loss: impl Fn(usize, &[f32], &mut [f32]) -> f32 + Sync,
    mut wanted: Wanted,
) -> Result<Vec<f32>, Misfit> {
    let rows = rows(stack, z)?;
    if let Some(gradient) = &wanted.z {
        check("the gradient of z", gradient.len(), z.len())?;
    }
    if let Some(gradient) = &mut wanted.parameters {
        check("the gradient", gradient.len(), stack.parameters())?;
        gradient.fill(0.0);
    }
    let mut losses = vec![0.0; rows];
    // The weights' gradients are sums over all images.
    let share = match wanted.parameters {
        None => Share::of(stack, rows),
        Some(_) => Share::CHANNELS,
    };
    let mut of_z = wanted
        .z
        .map(|all| all.chunks_mut(share.images * stack.latent()));
    let chunks = z.chunks(share.images * stack.latent());
    let chunks = chunks.zip(losses.chunks_mut(share.images)).enumerate();
    let jobs = chunks.map(|(n, (z, losses))| {
        let of_z = of_z.as_mut().and_then(Iterator::next);
        (n * share.images, z, losses, of_z)
    });
    let pixels = stack.pixels();
    let run = |(first, z, losses, of_z): (usize, &[f32], &mut [f32], Option<&mut [f32]>),
               parameters: Option<&mut [f32]>| {
        let pass = Pass::new(stack, packed, losses.len(), share);
        let pictures = losses.len() * pixels;
        with_scratch(2 * pass.values() + 2 * pictures, |data| {
            let (values, rest) = data.split_at_mut(pass.values());
            let (slopes, rest) = rest.split_at_mut(pass.values());
            let (images, of_images) = rest.split_at_mut(pictures);
            pass.forward(z, values, images);
            let pairs = images.chunks(pixels).zip(of_images.chunks_mut(pixels));
            for ((row, own), (image, of_image)) in losses.iter_mut().enumerate().zip(pairs) {
                *own = loss(first + row, image, of_image);
            }
            pass.backward((images, of_images), values, slopes, of_z, parameters);
        });
    };
    match wanted.parameters {
        None => share.each(jobs, |job| run(job, None)),
        Some(gradient) => jobs.for_each(|job| run(job, Some(gradient))),
    }
    Ok(losses)
}

fn rows(stack: &Stack, z: &[f32]) -> Result<usize, Misfit> {
    if !z.len().is_multiple_of(stack.latent()) {
        let expected = format!("(rows, {})", stack.latent());
        return Err(Misfit::new("z", z.len(), expected));
    }
    Ok(z.len() / stack.latent())
}
