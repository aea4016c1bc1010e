//! A table on the terminal, which is also a table in Markdown.

use std::fmt;

/// Rows of ready-to-print cells under a title.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// What was measured, with the data and how they were split.
    pub title: String,
    /// Column names; the first column names the row.
    pub columns: Vec<String>,
    /// One list of cells per row, as many as there are columns.
    pub rows: Vec<Vec<String>>,
    /// What one has to know to read it: targets, seeds, hash of the split.
    pub notes: Vec<String>,
}

impl Table {
    /// An empty table.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        Self { title: title.into(), columns, ..Self::default() }
    }

    /// Adds a row; missing cells stay empty.
    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// Adds a note.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].chars().count());
        cells.chain([self.columns[column].chars().count(), 3]).max().unwrap_or(3)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| self.width(column)).collect();
        writeln!(out, "\n{}\n", self.title)?;
        write_row(out, &self.columns, &widths)?;
        for (column, width) in widths.iter().enumerate() {
            // Numbers stand on the right; the first column is words.
            let rule = "-".repeat(width + 1);
            write!(out, "|{}", if column == 0 { format!("{rule}-") } else { format!("{rule}:") })?;
        }
        writeln!(out, "|")?;
        for row in &self.rows {
            write_row(out, row, &widths)?;
        }
        if !self.notes.is_empty() {
            writeln!(out)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "- {note}"))
    }
}

fn write_row(out: &mut fmt::Formatter<'_>, cells: &[String], widths: &[usize]) -> fmt::Result {
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if column == 0 {
            write!(out, "| {cell:<width$} ")?;
        } else {
            write!(out, "| {cell:>width$} ")?;
        }
    }
    writeln!(out, "|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_on_a_terminal_and_in_markdown() {
        let mut table = Table::new("Two methods", &["method", "F1"]);
        table.row(["ours", "0.91"]);
        table.row(["trivial"]);
        table.note("seed 1");
        let expected = "\nTwo methods\n\n\
            | method  |   F1 |\n|---------|-----:|\n| ours    | 0.91 |\n| trivial |      |\n\n- seed 1\n";
        assert_eq!(table.to_string(), expected);
    }
}
