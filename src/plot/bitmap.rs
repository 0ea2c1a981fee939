//! A bitmap on which combining marks stand over their letters: plotters draws each glyph where the one
//! before ends.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind,
};

pub(crate) struct Bitmap<'a>(BitMapBackend<'a>);

type Failure<'a> = DrawingErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>;

/// No combining mark comes before this character.
const FIRST_MARK: char = '\u{300}';

impl<'a> Bitmap<'a> {
    pub(crate) fn of(rgb: &'a mut [u8], size: (u32, u32)) -> Self {
        Self(BitMapBackend::with_buffer(rgb, size))
    }
}

/// Columns and rows of the pixels that a text fills, and how much.
type Ink = Vec<(i32, i32, BackendColor)>;

fn ink<S: BackendTextStyle>(text: &str, style: &S) -> Ink {
    let mut ink = Ink::new();
    let _ = style.draw(text, (0, 0), |x, y, color| {
        ink.push((x, y, color));
        Ok::<(), std::convert::Infallible>(())
    });
    ink
}

fn middle(values: impl Iterator<Item = i32> + Clone) -> i32 {
    (values.clone().min().unwrap_or(0) + values.max().unwrap_or(0)) / 2
}

/// Width and height of the room that a text takes.
fn size<S: BackendTextStyle>(text: &str, style: &S) -> (i32, i32) {
    let layout = style.layout_box(text);
    layout.map_or((0, 0), |((left, top), (right, bottom))| {
        (right - left, bottom - top)
    })
}

impl<'a> DrawingBackend for Bitmap<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.0.get_size()
    }

    fn ensure_prepared(&mut self) -> Result<(), Failure<'a>> {
        self.0.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), Failure<'a>> {
        self.0.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Result<(), Failure<'a>> {
        self.0.draw_pixel(point, color)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Result<(), Failure<'a>> {
        self.0.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), Failure<'a>> {
        self.0.draw_rect(upper_left, bottom_right, style, fill)
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        place: BackendCoord,
    ) -> Result<(), Failure<'a>> {
        if text.chars().all(|c| c < FIRST_MARK) {
            return self.0.draw_text(text, style, place);
        }
        // Marks are what takes no room.
        let single = |c: char| c.to_string();
        let is_mark = |c: char| c >= FIRST_MARK && size(&single(c), style).0 == 0;
        let letters: String = text.chars().filter(|c| !is_mark(*c)).collect();
        self.0.draw_text(&letters, style, place)?;
        let whole = size(&letters, style);
        let left = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Center => -whole.0 / 2,
            HPos::Right => -whole.0,
        };
        let top = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => -whole.1 / 2,
            VPos::Bottom => -whole.1,
        };
        let mut before = String::new();
        for c in text.chars() {
            if !is_mark(c) {
                before.push(c);
                continue;
            }
            let letter = before.chars().last().map(single).unwrap_or_default();
            let (letter_ink, mark_ink) = (ink(&letter, style), ink(&single(c), style));
            let columns = |ink: &Ink| middle(ink.iter().map(|(x, ..)| *x));
            let rows = |ink: &Ink| middle(ink.iter().map(|(_, y, _)| *y));
            let start = size(&before, style).0 - size(&letter, style).0;
            let right = start + columns(&letter_ink) - columns(&mark_ink);
            // Marks are made for small letters; those above stand free of tall ones.
            let mut up = 0;
            if rows(&mark_ink) < rows(&letter_ink) {
                let lowest = mark_ink.iter().map(|(_, y, _)| *y).max();
                let highest = letter_ink.iter().map(|(_, y, _)| *y).min();
                let free = highest
                    .zip(lowest)
                    .map(|(highest, lowest)| lowest + whole.1 / 10 - highest);
                up = free.unwrap_or(0).max(0);
            }
            for (x, y, color) in mark_ink {
                let (x, y) = style.transform().transform(x + left + right, y + top - up);
                self.0.draw_pixel((place.0 + x, place.1 + y), color)?;
            }
        }
        Ok(())
    }
}
