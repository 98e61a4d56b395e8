//! The table as a picture: cost above the bound, and time on a logarithmic scale.

use crate::figures::{grouped, short};
use crate::report::{Row, Side};
use std::error::Error;
use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 340.0;
const TOP: f64 = 70.0;
const BOTTOM: f64 = 270.0;
const PANEL: f64 = 340.0;
const BAR: f64 = 26.0;
const COLOURS: [&str; 2] = ["#2563a8", "#d97a1e"];

/// A value of a bar, in words, and how high it is: 0 to 1.
struct Bar {
    label: String,
    height: f64,
}

/// The chart as SVG.
pub fn svg(rows: &[Row]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#222">
<title>Lattice and Karpenter on the same pods and node types</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>"##
    )?;
    for (i, name) in ["Lattice", "Karpenter"].iter().enumerate() {
        let (x, colour) = (30.0 + 90.0 * i as f64, COLOURS[i]);
        writeln!(
            svg,
            r#"<rect x="{x}" y="14" width="12" height="12" fill="{colour}"/><text x="{}" y="24">{name}</text>"#,
            x + 18.0
        )?;
    }
    let most = largest(rows, |row, side| row.gap(side));
    panel(
        &mut svg,
        30.0,
        "cost above the proven bound, %",
        rows,
        |row, side| Bar {
            label: format!("{:.2}", row.gap(side)),
            height: row.gap(side) / most,
        },
    )?;
    // From the power of ten below the fastest to the slowest.
    let exponent = |_: &Row, side: &Side| side.plan.milliseconds.log10();
    let least = -largest(rows, |row, side| -exponent(row, side));
    let (floor, top) = (least.ceil() - 1.0, largest(rows, exponent));
    panel(
        &mut svg,
        400.0,
        "time to solve, ms, logarithmic",
        rows,
        |row, side| Bar {
            label: short(side.plan.milliseconds),
            height: (exponent(row, side) - floor) / (top - floor),
        },
    )?;
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn largest(rows: &[Row], value: impl Fn(&Row, &Side) -> f64) -> f64 {
    let values = rows
        .iter()
        .flat_map(|row| row.sides().map(|(_, side)| value(row, side)));
    values.fold(f64::MIN, f64::max)
}

fn panel(
    svg: &mut String,
    left: f64,
    title: &str,
    rows: &[Row],
    bar: impl Fn(&Row, &Side) -> Bar,
) -> Result<(), Box<dyn Error>> {
    writeln!(
        svg,
        r#"<text x="{left}" y="50" font-weight="bold">{title}</text>"#
    )?;
    let step = (PANEL - 10.0) / rows.len() as f64;
    for (i, row) in rows.iter().enumerate() {
        let middle = left + step * (i as f64 + 0.5);
        for (j, (_, side)) in row.sides().into_iter().enumerate() {
            let Bar { label, height } = bar(row, side);
            let x = middle + (j as f64 - 1.0) * BAR;
            let tall = (height * (BOTTOM - TOP)).max(1.0);
            let y = BOTTOM - tall;
            writeln!(
                svg,
                r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{tall:.1}" fill="{}"/><text x="{:.1}" y="{:.1}" text-anchor="middle" font-size="8">{label}</text>"#,
                BAR - 3.0,
                COLOURS[j],
                x + BAR / 2.0 - 1.5,
                y - 4.0
            )?;
        }
        for (line, text) in [grouped(row.pods), row.short.name().to_owned()]
            .iter()
            .enumerate()
        {
            writeln!(
                svg,
                r#"<text x="{middle:.1}" y="{:.1}" text-anchor="middle" font-size="8">{text}</text>"#,
                BOTTOM + 16.0 + 12.0 * line as f64
            )?;
        }
    }
    writeln!(
        svg,
        r#"<text x="{left}" y="{:.1}" font-size="9">pods, and what is short</text>"#,
        BOTTOM + 46.0
    )?;
    writeln!(
        svg,
        r##"<line x1="{left}" y1="{BOTTOM}" x2="{:.1}" y2="{BOTTOM}" stroke="#222"/>"##,
        left + PANEL - 10.0
    )?;
    Ok(())
}
