//! Drawing a chart with plotters, on a bitmap or as SVG.

use super::axis::{Scale, Ticked};
use super::clip::clip;
use super::line::Stroke;
use super::theme::{self, Color, font};
use super::{Chart, Legend, Line};
use crate::Error;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};

type Area<DB> = DrawingArea<DB, Shift>;

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Figure(error.to_string())
}

/// Draws `chart` into `area`, where `scale` pixels are one pixel of the final picture.
pub(crate) fn draw<DB: DrawingBackend>(
    chart: &Chart,
    area: &Area<DB>,
    scale: f64,
) -> Result<(), Error> {
    let (x, y) = chart.scales()?;
    let px = |size: f64| (size * scale).round() as i32;
    let text = |size: f64| font(size * scale);
    let entries = legend_entries(chart);
    let (width, _) = area.dim_in_pixel();
    let legend_width = legend_width(&entries, area, scale)?;
    let (mut area, beside) = match chart.legend {
        Legend::Right if !entries.is_empty() => {
            let (left, right) = area.split_horizontally(width as i32 - legend_width);
            (left, Some(right))
        }
        _ => (area.clone(), None),
    };
    let top = if chart.title.is_empty() { 10.0 } else { 36.0 };
    if !chart.title.is_empty() {
        let style = text(theme::TITLE).pos(Pos::new(HPos::Center, VPos::Center));
        let middle = (area.dim_in_pixel().0 as i32 + px(58.0)) / 2;
        let caption = Text::new(chart.title.clone(), (middle, px(18.0)), style);
        area.draw(&caption).map_err(failed)?;
    }
    area = area.margin(px(top), px(8.0), px(8.0), px(16.0));

    let (width, height) = area.dim_in_pixel();
    let x_ticks = x.ticks(((width as f64 / scale) / 75.0).max(2.0) as usize);
    let y_ticks = y.ticks(((height as f64 / scale) / 50.0).max(2.0) as usize);
    let widest = y_ticks
        .iter()
        .map(|(_, label)| text_width(&area, label, &text(theme::TICK)));
    let widest = widest.max().unwrap_or(0);
    let mut context = ChartBuilder::on(&area)
        .x_label_area_size(px(46.0))
        .y_label_area_size(widest + px(if chart.y.label.is_empty() { 14.0 } else { 36.0 }))
        .build_cartesian_2d(
            Ticked {
                scale: x.clone(),
                ticks: x_ticks,
            },
            Ticked {
                scale: y.clone(),
                ticks: y_ticks,
            },
        )
        .map_err(failed)?;
    context
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(theme::GRID.stroke_width(px(0.8).max(1) as u32))
        .axis_style(BLACK.stroke_width(px(1.0) as u32))
        .set_all_tick_mark_size(px(4.0))
        .label_style(text(theme::TICK))
        .axis_desc_style(text(theme::LABEL))
        .x_desc(&chart.x.label)
        .y_desc(&chart.y.label)
        .draw()
        .map_err(failed)?;

    let plane = context.plotting_area();
    let corner = |position: &(f64, f64)| {
        let (x0, y0) = plane.get_base_pixel();
        let pixel = plane.map_coordinate(position);
        (pixel.0 - x0, pixel.1 - y0)
    };
    let pixels = plane.strip_coord_spec();
    for marker in &chart.verticals {
        let ends = [(x.position(*marker), y.low), (x.position(*marker), y.high)];
        let style = theme::MARKER.stroke_width(px(1.3) as u32);
        stroke(
            &pixels,
            ends.iter().map(corner),
            Stroke::Dashed,
            style,
            scale,
        )?;
    }
    for (i, line) in chart.lines.iter().enumerate() {
        let color = line.color.unwrap_or(Color::of_line(i));
        draw_line(line, color, (&x, &y), &pixels, &corner, scale)?;
    }
    if let Some(beside) = beside {
        draw_legend(&entries, &beside, (px(4.0), px(top + 6.0)), false, scale)?;
    } else if chart.legend != Legend::Hidden && !entries.is_empty() {
        let (width, height) = pixels.dim_in_pixel();
        let size = (legend_width, legend_height(&entries, scale));
        let left = if matches!(chart.legend, Legend::TopLeft | Legend::BottomLeft) {
            px(8.0)
        } else {
            width as i32 - size.0 - px(4.0)
        };
        let top = if matches!(chart.legend, Legend::TopLeft | Legend::TopRight) {
            px(4.0)
        } else {
            height as i32 - size.1 - px(8.0)
        };
        draw_legend(&entries, &pixels, (left, top), true, scale)?;
    }
    Ok(())
}

fn draw_line<DB: DrawingBackend>(
    line: &Line,
    color: Color,
    (x, y): (&Scale, &Scale),
    pixels: &Area<DB>,
    corner: &impl Fn(&(f64, f64)) -> (i32, i32),
    scale: f64,
) -> Result<(), Error> {
    let style = color
        .rgb()
        .stroke_width((theme::LINE_WIDTH * line.width * scale).round() as u32);
    let positions = line
        .x
        .iter()
        .zip(&line.y)
        .map(|(a, b)| (x.position(*a), y.position(*b)));
    if line.stroke == Stroke::Markers {
        let inside =
            |p: &(f64, f64)| (x.low..=x.high).contains(&p.0) && (y.low..=y.high).contains(&p.1);
        for position in positions.filter(inside) {
            let disc = Circle::new(
                corner(&position),
                (2.6 * line.width * scale).round() as i32,
                color.rgb().filled(),
            );
            pixels.draw(&disc).map_err(failed)?;
        }
        return Ok(());
    }
    for part in clip(positions, (x.low, y.low), (x.high, y.high)) {
        stroke(pixels, part.iter().map(corner), line.stroke, style, scale)?;
    }
    Ok(())
}

/// A polyline in pixels.
fn stroke<DB: DrawingBackend>(
    area: &Area<DB>,
    points: impl Iterator<Item = (i32, i32)>,
    stroke: Stroke,
    style: ShapeStyle,
    scale: f64,
) -> Result<(), Error> {
    let (on, off) = match stroke {
        Stroke::Dashed => (7.0, 4.0),
        Stroke::Dotted => (2.0, 3.0),
        Stroke::Solid | Stroke::Markers => {
            let path = PathElement::new(points.collect::<Vec<_>>(), style);
            return area.draw(&path).map_err(failed);
        }
    };
    let points: Vec<(f64, f64)> = points.map(|(x, y)| (f64::from(x), f64::from(y))).collect();
    for dash in dashes(&points, on * scale, off * scale) {
        let dash: Vec<_> = dash
            .iter()
            .map(|p| (p.0.round() as i32, p.1.round() as i32))
            .collect();
        area.draw(&PathElement::new(dash, style)).map_err(failed)?;
    }
    Ok(())
}

/// Cuts a polyline into dashes of length `on` with gaps of length `off`.
fn dashes(points: &[(f64, f64)], on: f64, off: f64) -> Vec<Vec<(f64, f64)>> {
    let mut dashes = Vec::new();
    let mut dash: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
    let (mut drawing, mut left) = (true, on);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let mut length = (to.0 - from.0).hypot(to.1 - from.1);
        while length > left {
            let share = left / length;
            from = (
                from.0 + share * (to.0 - from.0),
                from.1 + share * (to.1 - from.1),
            );
            length -= left;
            if drawing {
                dash.push(from);
                dashes.push(std::mem::take(&mut dash));
            } else {
                dash = vec![from];
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= length;
        if drawing {
            dash.push(to);
        }
    }
    if dash.len() > 1 {
        dashes.push(dash);
    }
    dashes
}

type Entry<'a> = (&'a str, &'a Line, Color);

fn legend_entries(chart: &Chart) -> Vec<Entry<'_>> {
    let lines = chart.lines.iter().enumerate();
    lines
        .filter_map(|(i, line)| {
            let label = line.label.as_deref()?;
            Some((label, line, line.color.unwrap_or(Color::of_line(i))))
        })
        .collect()
}

const ROW: f64 = 21.0;
const SAMPLE: f64 = 26.0;

fn legend_height(entries: &[Entry], scale: f64) -> i32 {
    ((entries.len() as f64 * ROW + 8.0) * scale).round() as i32
}

fn legend_width<DB: DrawingBackend>(
    entries: &[Entry],
    area: &Area<DB>,
    scale: f64,
) -> Result<i32, Error> {
    let style = font(theme::TICK * scale);
    let widest = entries
        .iter()
        .map(|(label, ..)| text_width(area, label, &style))
        .max();
    Ok(widest.unwrap_or(0) + ((SAMPLE + 22.0) * scale).round() as i32)
}

fn text_width<DB: DrawingBackend>(area: &Area<DB>, text: &str, style: &TextStyle) -> i32 {
    area.estimate_text_size(text, style)
        .map_or(0, |(width, _)| width as i32)
}

fn draw_legend<DB: DrawingBackend>(
    entries: &[Entry],
    area: &Area<DB>,
    (left, top): (i32, i32),
    framed: bool,
    scale: f64,
) -> Result<(), Error> {
    let px = |size: f64| (size * scale).round() as i32;
    if framed {
        let width = legend_width(entries, area, scale)?;
        let corners = [
            (left, top),
            (left + width, top + legend_height(entries, scale)),
        ];
        area.draw(&Rectangle::new(corners, WHITE.mix(0.85).filled()))
            .map_err(failed)?;
    }
    for (i, (label, line, color)) in entries.iter().enumerate() {
        let middle = top + px(4.0 + ROW * (i as f64 + 0.5));
        let style = color
            .rgb()
            .stroke_width((theme::LINE_WIDTH * line.width * scale).round() as u32);
        let (from, to) = (left + px(6.0), left + px(6.0 + SAMPLE));
        if line.stroke == Stroke::Markers {
            let disc = Circle::new(
                ((from + to) / 2, middle),
                px(2.6 * line.width),
                color.rgb().filled(),
            );
            area.draw(&disc).map_err(failed)?;
        } else {
            stroke(
                area,
                [(from, middle), (to, middle)].into_iter(),
                line.stroke,
                style,
                scale,
            )?;
        }
        let style = font(theme::TICK * scale).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(*label, (to + px(7.0), middle), style))
            .map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::dashes;

    #[test]
    fn dashes_cover_their_share() {
        let cut = dashes(&[(0.0, 0.0), (50.0, 0.0), (50.0, 50.0)], 6.0, 4.0);
        let length = |dash: &Vec<(f64, f64)>| -> f64 {
            dash.windows(2)
                .map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1))
                .sum()
        };
        assert_eq!(cut.len(), 10);
        assert!((cut.iter().map(length).sum::<f64>() - 60.0).abs() < 1e-9);
    }
}
