//! How figures are written, and where.

use chrono::Utc;
use std::error::Error;
use std::path::Path;

/// Where and when this was measured, and how busy it was.
pub fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(Path::new(file)).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, |n| n.get());
    let cpu_info = read("/proc/cpuinfo");
    let model = cpu_info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unknown processor", |(_, name)| name);
    let load_average = read("/proc/loadavg");
    let load = load_average.split(' ').next().unwrap_or_default();
    let date = Utc::now().format("%Y-%m-%d");
    format!("Measured on {date}: {cores} × {model}, load average {load} at the end.\n")
}

/// Puts `text` between the lines `<!-- name -->` and `<!-- /name -->` of the file.
pub fn replace(file: &Path, name: &str, text: &str) -> Result<(), Box<dyn Error>> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
    let old = std::fs::read_to_string(file)?;
    let parts = old
        .split_once(&begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let Some((before, after)) = parts else {
        let (file, begin, end) = (file.display(), begin.trim(), end.trim());
        return Err(format!("{file} has no lines `{begin}` and `{end}` to write between").into());
    };
    Ok(std::fs::write(
        file,
        format!("{before}{begin}{text}{end}{after}"),
    )?)
}

/// A number with as many decimals as say something.
pub fn short(number: f64) -> String {
    match number {
        n if n >= 100.0 => grouped(n.round() as u64),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

/// A number with commas between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
