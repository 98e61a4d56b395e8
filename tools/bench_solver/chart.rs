//! The table as a picture: bars for what was found, a line across each for what is aimed at.

use crate::figures::short;
use crate::table::{Goal, Row};
use std::error::Error;
use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 320.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 260.0;
const PANEL: f64 = 350.0;
const BAR: f64 = 34.0;
/// Times are drawn from a hundredth to a hundred seconds, logarithmically.
const DECADES: (f64, f64) = (-2.0, 2.0);

/// The chart as SVG.
pub fn svg(rows: &[Row]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" fill="#222">
<title>Time and distance from the bound, by size of the fleet</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>
<line x1="30" y1="18" x2="50" y2="18" stroke="#b3261e" stroke-width="2"/><text x="56" y="22">aimed at</text>"##
    )?;
    let (floor, top) = DECADES;
    let height = |seconds: f64| ((seconds.log10() - floor) / (top - floor)).clamp(0.0, 1.0);
    panel(
        &mut svg,
        (20.0, "processor time, s, logarithmic"),
        rows,
        |row| (short(row.last.seconds), height(row.last.seconds)),
        |goal| height(goal.seconds),
    )?;
    let most = rows.iter().map(Row::gap).fold(2.5, f64::max);
    panel(
        &mut svg,
        (390.0, "cost above the proven bound, %"),
        rows,
        |row| (format!("{:.2}", row.gap()), row.gap() / most),
        |goal| goal.percent / most,
    )?;
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn panel(
    svg: &mut String,
    (left, title): (f64, &str),
    rows: &[Row],
    found: impl Fn(&Row) -> (String, f64),
    wanted: impl Fn(&Goal) -> f64,
) -> Result<(), Box<dyn Error>> {
    writeln!(
        svg,
        r#"<text x="{left}" y="44" font-size="12" font-weight="bold">{title}</text>"#
    )?;
    let step = PANEL / rows.len() as f64;
    let level = |height: f64| BOTTOM - height * (BOTTOM - TOP);
    for (i, row) in rows.iter().enumerate() {
        let middle = left + step * (i as f64 + 0.5);
        let (label, height) = found(row);
        let (x, y) = (middle - BAR / 2.0, level(height));
        writeln!(
            svg,
            r##"<rect x="{x:.1}" y="{y:.1}" width="{BAR}" height="{:.1}" fill="#2563a8"/><text x="{middle:.1}" y="{:.1}" text-anchor="middle">{label}</text>"##,
            BOTTOM - y,
            y - 4.0
        )?;
        if let Some(goal) = row.goal() {
            let y = level(wanted(goal));
            writeln!(
                svg,
                r##"<line x1="{:.1}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" stroke="#b3261e" stroke-width="2"/>"##,
                x - 4.0,
                x + BAR + 4.0
            )?;
        }
        for (line, text) in [
            short_count(row.size.services),
            format!("× {}", short_count(row.size.pools)),
        ]
        .iter()
        .enumerate()
        {
            writeln!(
                svg,
                r#"<text x="{middle:.1}" y="{:.1}" text-anchor="middle">{text}</text>"#,
                BOTTOM + 16.0 + 14.0 * line as f64
            )?;
        }
    }
    writeln!(
        svg,
        r##"<line x1="{left}" y1="{BOTTOM}" x2="{:.1}" y2="{BOTTOM}" stroke="#222"/>"##,
        left + PANEL
    )?;
    Ok(())
}

/// Thousands as `k`.
fn short_count(number: u64) -> String {
    match number {
        n if n >= 1000 && n % 1000 == 0 => format!("{}k", n / 1000),
        n => n.to_string(),
    }
}
