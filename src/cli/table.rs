//! Tables as the commands print them: no frame, nothing after the last word of a line.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Rows below a header, as lines. The columns of these numbers are of figures, which stand to the right.
pub(super) fn table(
    header: &[&str],
    figures: &[usize],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for column in figures {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}
