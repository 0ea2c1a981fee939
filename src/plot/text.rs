//! Text as it is shown: in one line, of characters that a picture and XML can hold, inside its room.

use super::area::{Area, failed};
use super::theme::font;
use crate::Error;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::borrow::Cow;

/// The width of a text in pixels, at a size in pixels.
pub(crate) fn width(text: &str, size: f64) -> i32 {
    let shown = one_line(text);
    font(size)
        .font
        .box_size(&shown)
        .map_or(0, |size| size.0 as i32)
}

/// Draws a text that starts there, cut to the room.
pub(crate) fn from<DB: DrawingBackend>(
    area: &Area<DB>,
    text: &str,
    size: f64,
    place: (i32, i32),
    room: i32,
) -> Result<(), Error> {
    let style = font(size).pos(Pos::new(HPos::Left, VPos::Center));
    let text = Text::new(cut(text, size, room), place, style);
    area.draw(&text).map_err(failed)
}

/// Draws a text from left to right with its middle there, moved and then cut to lie in the area.
pub(crate) fn across<DB: DrawingBackend>(
    area: &Area<DB>,
    text: &str,
    size: f64,
    (x, y): (i32, i32),
) -> Result<(), Error> {
    let (text, x) = fit(text, size, x, area.dim_in_pixel().0 as i32);
    let style = font(size).pos(Pos::new(HPos::Center, VPos::Center));
    area.draw(&Text::new(text, (x, y), style)).map_err(failed)
}

/// Draws a text from bottom to top with its middle there, moved and then cut to lie in the area.
pub(crate) fn upwards<DB: DrawingBackend>(
    area: &Area<DB>,
    text: &str,
    size: f64,
    (x, y): (i32, i32),
) -> Result<(), Error> {
    let (text, y) = fit(text, size, y, area.dim_in_pixel().1 as i32);
    let style = font(size).pos(Pos::new(HPos::Center, VPos::Center));
    let style = style.transform(FontTransform::Rotate270);
    area.draw(&Text::new(text, (x, y), style)).map_err(failed)
}

/// The text, cut to the room, and the place of its middle nearest to `middle`.
fn fit(text: &str, size: f64, middle: i32, room: i32) -> (Cow<'_, str>, i32) {
    let text = cut(text, size, room);
    let half = (width(&text, size) + 1) / 2;
    let middle = middle.min(room - half).max(half);
    (text, middle)
}

/// The text, or as much of it as has room before an ellipsis.
pub(crate) fn cut(text: &str, size: f64, room: i32) -> Cow<'_, str> {
    let text = one_line(text);
    if width(&text, size) <= room {
        return text;
    }
    let shorter = |count: usize| format!("{}…", text.chars().take(count).collect::<String>());
    // No character is narrower than a fifth of a pixel.
    let most = text.chars().count().min(5 * room.max(0) as usize);
    let (mut fits, mut too_long) = (0, most + 1);
    while too_long - fits > 1 {
        let half = usize::midpoint(fits, too_long);
        if width(&shorter(half), size) <= room {
            fits = half;
        } else {
            too_long = half;
        }
    }
    shorter(fits).into()
}

/// The text with spaces for line breaks and tabs, and with a sign for what XML forbids.
fn one_line(text: &str) -> Cow<'_, str> {
    let shown = |c: char| match c {
        '\n' | '\t' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    if text.chars().all(|c| shown(c) == c) {
        return text.into();
    }
    let text = text.replace("\r\n", "\n");
    text.chars().map(shown).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_room_is_cut() {
        assert_eq!(cut("short", 13.0, 100), "short");
        let long = cut("a rather long label", 13.0, 60).into_owned();
        assert!(long.starts_with("a rat") && long.ends_with('…'), "{long}");
        assert!((45..=60).contains(&width(&long, 13.0)));
        assert_eq!(cut("σ", 13.0, 0), "…");
        assert_eq!(cut("", 13.0, 0), "");
    }

    #[test]
    fn a_text_is_one_line_that_xml_can_hold() {
        assert_eq!(one_line("height\r\n(cm)\tx"), "height (cm) x");
        assert_eq!(
            one_line("bell \u{7}, nul \0, \u{ffff}"),
            "bell \u{fffd}, nul \u{fffd}, \u{fffd}"
        );
        assert!(matches!(
            one_line("učení, Энергия, 能量, 🦀"),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn a_text_is_moved_into_its_room() {
        let half = (width("label", 13.0) + 1) / 2;
        assert_eq!(fit("label", 13.0, 5, 200).1, half);
        assert_eq!(fit("label", 13.0, 100, 200).1, 100);
        assert_eq!(fit("label", 13.0, 199, 200).1, 200 - half);
    }
}
