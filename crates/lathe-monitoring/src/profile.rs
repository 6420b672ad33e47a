//! A profile: the sketches of all columns of a window's samples, or of a reference.

use std::collections::BTreeMap;

use lathe_core::Result;
use serde::{Deserialize, Serialize};

use crate::sketch::{Categories, Numbers, StoredCategories, StoredNumbers, broken};
use crate::{Table, Values};

const FORMAT: u32 = 1;

/// What is beyond is left out: a profile's size is bounded.
pub(crate) const MAX_COLUMNS: usize = 2_000;

/// Where a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What the model is given.
    Input,
    /// What it answers.
    Output,
}

impl Part {
    /// The part as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Part::Input => "input",
            Part::Output => "output",
        }
    }
}

/// What kind of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// Numbers.
    Number,
    /// Texts and booleans.
    Category,
}

impl ColumnKind {
    /// The kind as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            ColumnKind::Number => "number",
            ColumnKind::Category => "category",
        }
    }
}

/// A column's name, part and kind: one that arrives as numbers and as texts is two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ColumnKey {
    pub(crate) part: Part,
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
}

impl ColumnKey {
    /// The same column with values of the other kind.
    pub(crate) fn of_other_kind(&self) -> Self {
        let kind = match self.kind {
            ColumnKind::Number => ColumnKind::Category,
            ColumnKind::Category => ColumnKind::Number,
        };
        Self { kind, ..self.clone() }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Sketch {
    Numbers(Box<Numbers>),
    Categories(Box<Categories>),
}

/// The sketches of a column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) rows: u64,
    pub(crate) sketch: Sketch,
}

impl Column {
    fn new(kind: ColumnKind, edges: Option<&[f64]>) -> Result<Self> {
        let sketch = match kind {
            ColumnKind::Number => Sketch::Numbers(Box::new(Numbers::new(edges)?)),
            ColumnKind::Category => Sketch::Categories(Box::new(Categories::new()?)),
        };
        Ok(Self { rows: 0, sketch })
    }

    /// How many rows have a value.
    pub(crate) fn count(&self) -> u64 {
        match &self.sketch {
            Sketch::Numbers(numbers) => numbers.count(),
            Sketch::Categories(categories) => categories.count(),
        }
    }

    fn add(&mut self, values: &Values) -> Result<()> {
        self.rows += values.len() as u64;
        match (&mut self.sketch, values) {
            (Sketch::Numbers(numbers), Values::Numbers(values)) => {
                for value in values.iter().filter(|value| value.is_finite()) {
                    numbers.add(*value)?;
                }
            }
            (Sketch::Categories(categories), Values::Texts(values)) => {
                for value in values.iter().flatten() {
                    categories.add(value);
                }
            }
            (Sketch::Categories(categories), Values::Booleans(values)) => {
                for value in values.iter().flatten() {
                    categories.add(if *value { "true" } else { "false" });
                }
            }
            _ => return Err(broken("values of another kind than the column's")),
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        self.rows += other.rows;
        match (&mut self.sketch, &other.sketch) {
            (Sketch::Numbers(own), Sketch::Numbers(other)) => own.merge(other),
            (Sketch::Categories(own), Sketch::Categories(other)) => own.merge(other),
            _ => Err(broken("two kinds of one column")),
        }
    }
}

/// The sketches of all columns.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    pub(crate) rows: u64,
    /// Whether its rows are those of files, not of requests.
    pub(crate) is_of_files: bool,
    pub(crate) columns: BTreeMap<ColumnKey, Column>,
}

/// The bins of a reference, by column: samples are counted over them exactly.
pub(crate) type Bins = BTreeMap<ColumnKey, Vec<f64>>;

impl Profile {
    /// Adds rows.
    ///
    /// # Errors
    /// `Internal` for a fault of a sketch.
    pub fn add(&mut self, inputs: &Table, outputs: &Table) -> Result<()> {
        self.add_over(inputs, outputs, &Bins::new())
    }

    pub(crate) fn add_over(&mut self, inputs: &Table, outputs: &Table, bins: &Bins) -> Result<()> {
        self.rows += inputs.rows().max(outputs.rows()) as u64;
        for (part, table) in [(Part::Input, inputs), (Part::Output, outputs)] {
            for column in table.columns() {
                let kind = match column.values {
                    Values::Numbers(_) => ColumnKind::Number,
                    Values::Texts(_) | Values::Booleans(_) => ColumnKind::Category,
                };
                let key = ColumnKey { part, name: column.name.clone(), kind };
                if !self.columns.contains_key(&key) {
                    if self.columns.len() >= MAX_COLUMNS {
                        continue;
                    }
                    let edges = bins.get(&key).map(Vec::as_slice);
                    self.columns.insert(key.clone(), Column::new(kind, edges)?);
                }
                if let Some(known) = self.columns.get_mut(&key) {
                    known.add(&column.values)?;
                }
            }
        }
        Ok(())
    }

    /// Adds what another profile has seen.
    ///
    /// # Errors
    /// `Internal` for a fault of a sketch.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.rows += other.rows;
        self.is_of_files |= other.is_of_files;
        for (key, column) in &other.columns {
            if let Some(own) = self.columns.get_mut(key) {
                own.merge(column)?;
            } else if self.columns.len() < MAX_COLUMNS {
                self.columns.insert(key.clone(), column.clone());
            }
        }
        Ok(())
    }

    /// The share of rows without a value, of those that have the column. A request may leave an input out: then it is missing in all of its
    /// rows. A file without a column says nothing of it.
    pub(crate) fn missing_share(&self, key: &ColumnKey) -> f64 {
        // A column whose values changed their kind is there twice.
        let other = key.of_other_kind();
        let both = || [key, &other].into_iter().filter_map(|key| self.columns.get(key));
        let may_be_left_out = key.part == Part::Input && !self.is_of_files;
        let rows = if may_be_left_out { self.rows } else { both().map(|column| column.rows).sum() };
        let present: u64 = both().map(Column::count).sum();
        if rows == 0 { 0.0 } else { rows.saturating_sub(present) as f64 / rows as f64 }
    }

    /// How many rows it has seen.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The bins over which windows are counted when this is their reference.
    pub(crate) fn bins(&self) -> Result<Bins> {
        let mut bins = Bins::new();
        for (key, column) in &self.columns {
            if let Sketch::Numbers(numbers) = &column.sketch {
                bins.insert(key.clone(), numbers.decile_edges()?);
            }
        }
        Ok(bins)
    }

    pub(crate) fn encode(&self) -> Result<String> {
        let columns = self.columns.iter().map(|(key, column)| {
            let (numbers, categories) = match &column.sketch {
                Sketch::Numbers(numbers) => (Some(StoredNumbers::new(numbers)), None),
                Sketch::Categories(categories) => (None, Some(StoredCategories::new(categories))),
            };
            StoredColumn { part: key.part, name: key.name.clone(), rows: column.rows, numbers, categories }
        });
        let stored =
            Stored { format: FORMAT, rows: self.rows, is_of_files: self.is_of_files, columns: columns.collect() };
        serde_json::to_string(&stored).map_err(broken)
    }

    pub(crate) fn decode(text: &str) -> Result<Self> {
        let stored: Stored = serde_json::from_str(text).map_err(broken)?;
        if stored.format != FORMAT {
            return Err(broken(format_args!("of format {}, which this version does not read", stored.format)));
        }
        let mut columns = BTreeMap::new();
        for StoredColumn { part, name, rows, numbers, categories } in stored.columns {
            let (kind, sketch) = match (numbers, categories) {
                (Some(numbers), None) => (ColumnKind::Number, Sketch::Numbers(Box::new(numbers.read()?))),
                (None, Some(categories)) => (ColumnKind::Category, Sketch::Categories(Box::new(categories.read()?))),
                _ => return Err(broken("a column that is not of one kind")),
            };
            columns.insert(ColumnKey { part, name, kind }, Column { rows, sketch });
        }
        Ok(Self { rows: stored.rows, is_of_files: stored.is_of_files, columns })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    format: u32,
    rows: u64,
    /// Not in what was stored before files were told from requests.
    #[serde(default)]
    is_of_files: bool,
    columns: Vec<StoredColumn>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredColumn {
    part: Part,
    name: String,
    rows: u64,
    numbers: Option<StoredNumbers>,
    categories: Option<StoredCategories>,
}
