//! Rows under columns, and one thing with its fields.

use comfy_table::{Attribute, CellAlignment, ColumnConstraint, ContentArrangement, presets};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::{Cell, Output};
use crate::cli::text;

/// A column: the name programs use, and the one people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    key: String,
    title: String,
    is_for_people: bool,
    is_optional: bool,
}

impl Column {
    /// A column with a title of its own.
    pub fn new(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self { key: key.into(), title: title.into(), is_for_people: true, is_optional: false }
    }

    /// A column that a terminal leaves out when it is too narrow for it.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }
}

/// Rows under columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A row as an object.
pub(super) struct RowObject<'a> {
    columns: &'a [Column],
    cells: &'a [Cell],
}

impl Table {
    /// A table without rows: `(key, title)` of each column.
    pub fn new<const N: usize>(columns: [(&str, &str); N]) -> Self {
        Self::of(columns.map(|(key, title)| Column::new(key, title)).to_vec())
    }

    /// A table without rows.
    pub fn of(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Keeps columns out of the table for people, where they would not fit; programs get them.
    #[must_use]
    pub fn for_programs<const N: usize>(mut self, keys: [&str; N]) -> Self {
        for column in &mut self.columns {
            column.is_for_people &= !keys.contains(&column.key.as_str());
        }
        self
    }

    /// Adds a row, with a cell for each column.
    pub fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len(), "a row has a cell for each column");
        self.rows.push(row);
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[Cell]> {
        self.rows.iter().map(Vec::as_slice)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = RowObject<'_>> {
        self.rows.iter().map(|cells| RowObject { columns: &self.columns, cells })
    }

    pub(super) fn csv_header(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.key.clone()).collect()
    }

    pub(super) fn csv_row(row: &[Cell]) -> Vec<String> {
        row.iter().map(Cell::csv).collect()
    }

    /// For a person, nothing when there is no row; and how many columns were left out because they did not fit.
    pub(super) fn render(&self, output: &Output) -> (String, usize) {
        if self.is_empty() {
            return (String::new(), 0);
        }
        let mut shown: Vec<_> = self.columns.iter().enumerate().filter(|(_, column)| column.is_for_people).collect();
        let all = shown.len();
        let mut drawn = self.draw(&shown, output);
        // Without a terminal there is no width.
        while drawn.width().is_some_and(|width| natural_width(&drawn) > usize::from(width))
            && shown.pop_if(|(_, column)| column.is_optional).is_some()
        {
            drawn = self.draw(&shown, output);
        }
        (drawn.trim_fmt(), all - shown.len())
    }

    fn draw(&self, shown: &[(usize, &Column)], output: &Output) -> comfy_table::Table {
        let mut drawn = blank();
        if output.is_terminal && drawn.width().is_some_and(|width| width >= NARROWEST) {
            drawn.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            drawn.force_no_tty();
        }
        drawn.set_header(shown.iter().map(|(_, column)| heading(&text::clean(&column.title), output)));
        for row in &self.rows {
            let cells = shown.iter().filter_map(|(place, _)| row.get(*place));
            drawn.add_row(cells.map(|cell| cell.shown(output.is_terminal)));
        }
        for ((place, _), drawn_column) in shown.iter().zip(drawn.column_iter_mut()) {
            drawn_column.set_padding(PADDING);
            let cells = self.rows.iter().filter_map(|row| row.get(*place)).filter(|cell| **cell != Cell::Missing);
            if cells.clone().next().is_none() {
                continue;
            }
            if cells.clone().all(Cell::is_numeric) {
                drawn_column.set_cell_alignment(CellAlignment::Right);
            }
            if cells.clone().all(Cell::is_one_word) {
                drawn_column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        drawn
    }
}

/// Two spaces between columns.
const PADDING: (u16, u16) = (0, 2);

/// As wide as the content wants.
fn natural_width(drawn: &comfy_table::Table) -> usize {
    let padding = usize::from(PADDING.0 + PADDING.1);
    drawn.column_max_content_widths().iter().map(|width| usize::from(*width) + padding).sum::<usize>() - padding
}

/// Terminals narrower than this do not know their width.
const NARROWEST: u16 = 20;

/// A table without lines, as wide as its content.
fn blank() -> comfy_table::Table {
    let mut drawn = comfy_table::Table::new();
    drawn.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    drawn
}

fn heading(title: &str, output: &Output) -> comfy_table::Cell {
    let cell = comfy_table::Cell::new(title);
    if output.is_styled { cell.add_attribute(Attribute::Bold) } else { cell }
}

impl Serialize for RowObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (column, cell) in self.columns.iter().zip(self.cells) {
            map.serialize_entry(&column.key, cell)?;
        }
        map.end()
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.records())
    }
}

/// One thing with its fields.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    fields: Vec<(Column, Cell)>,
}

impl Record {
    /// Adds a field.
    #[must_use]
    pub fn with(mut self, key: &str, title: &str, cell: Cell) -> Self {
        self.fields.push((Column::new(key, title), cell));
        self
    }

    /// Fields with one value first, then each list under its title.
    pub(super) fn render(&self, output: &Output) -> String {
        let (lists, values): (Vec<_>, Vec<_>) =
            self.fields.iter().partition(|(_, cell)| matches!(cell, Cell::Pairs(_) | Cell::Rows(_)));
        let present = values.into_iter().filter(|(_, cell)| *cell != Cell::Missing);
        let mut parts = vec![pairs(present.map(|(column, cell)| (column.title.as_str(), cell)))];
        for (column, cell) in lists {
            let body = match cell {
                Cell::Pairs(list) => pairs(list.iter().map(|(key, value)| (key.as_str(), value))),
                Cell::Rows(table) => table.render(output).0,
                _ => String::new(),
            };
            if !body.is_empty() {
                let indented = body.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
                parts.push(format!("{}\n{indented}", output.bold(&column.title)));
            }
        }
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n")
    }

    /// Names and texts; the keys of a list become fields of their own.
    pub(super) fn csv_fields(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        for (column, cell) in &self.fields {
            match cell {
                Cell::Pairs(list) => {
                    fields.extend(list.iter().map(|(key, value)| (format!("{}.{key}", column.key), value.csv())));
                }
                cell => fields.push((column.key.clone(), cell.csv())),
            }
        }
        fields
    }
}

/// Keys and values; never broken over lines, so that hashes and secrets can be copied.
fn pairs<'a>(list: impl Iterator<Item = (&'a str, &'a Cell)>) -> String {
    let mut drawn = blank();
    drawn.force_no_tty();
    for (key, cell) in list {
        drawn.add_row([text::clean(key).into_owned(), cell.shown(false)]);
    }
    if drawn.is_empty() {
        return String::new();
    }
    for column in drawn.column_iter_mut() {
        column.set_padding(PADDING);
    }
    drawn.trim_fmt()
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (column, cell) in &self.fields {
            map.serialize_entry(&column.key, cell)?;
        }
        map.end()
    }
}
