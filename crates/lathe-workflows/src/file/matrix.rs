//! A job run once for each combination of values.

use super::diagnostic::{Located, Position};
use super::types::Job;
use super::value::Value;

/// The most cells of a matrix.
pub const MAX_CELLS: usize = 1_000;

/// The combinations a job runs for.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Names and their values; every combination is a cell.
    pub axes: Vec<Axis>,
    /// Cells beyond those.
    pub include: Vec<Vec<(String, Value)>>,
    /// Cells that agree with one of these in all its names are left out.
    pub exclude: Vec<Vec<(String, Value)>>,
    /// Where it stands in the file.
    pub at: Position,
}

/// A name of a matrix and its values.
#[derive(Debug, Clone)]
pub struct Axis {
    /// The name.
    pub name: Located<String>,
    /// Its values.
    pub values: Vec<Value>,
}

/// One combination.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its number, from 0.
    pub index: usize,
    /// Its values, in the order of the names.
    pub values: Vec<(String, Value)>,
}

impl Matrix {
    /// The names that every cell has.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let from_include = self.include.first().filter(|_| self.axes.is_empty());
        let axes = self.axes.iter().map(|axis| axis.name.value.as_str());
        axes.chain(from_include.into_iter().flatten().map(|(name, _)| name.as_str()))
    }

    /// How many cells the axes alone make.
    pub(crate) fn product(&self) -> usize {
        if self.axes.is_empty() {
            return 0;
        }
        self.axes.iter().fold(1, |cells, axis| cells.saturating_mul(axis.values.len()))
    }

    /// The cells: the last name varies fastest, then what `include` adds.
    pub fn cells(&self) -> Vec<Cell> {
        let mut rows: Vec<Vec<(String, Value)>> = if self.axes.is_empty() { Vec::new() } else { vec![Vec::new()] };
        if self.product() > MAX_CELLS {
            return Vec::new();
        }
        for axis in &self.axes {
            let longer = |row: &Vec<(String, Value)>, value: &Value| {
                row.iter().cloned().chain([(axis.name.value.clone(), value.clone())]).collect()
            };
            rows = rows.iter().flat_map(|row| axis.values.iter().map(move |value| longer(row, value))).collect();
        }
        let is_in = |row: &[(String, Value)], (name, value): &(String, Value)| {
            row.iter().any(|(other, own)| other == name && own.meant() == value.meant())
        };
        rows.retain(|row| !self.exclude.iter().any(|excluded| excluded.iter().all(|pair| is_in(row, pair))));
        rows.extend(self.include.iter().cloned());
        rows.into_iter().take(MAX_CELLS).enumerate().map(|(index, values)| Cell { index, values }).collect()
    }
}

/// The cells of a job; one without values when it has no matrix.
pub fn expand(job: &Job) -> Vec<Cell> {
    match &job.matrix {
        Some(matrix) => matrix.cells(),
        None => vec![Cell { index: 0, values: Vec::new() }],
    }
}
