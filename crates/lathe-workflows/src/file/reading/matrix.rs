//! `matrix`: names with lists of values, `include` and `exclude`.

use super::super::matrix::{Axis, MAX_CELLS, Matrix};
use super::super::value::Value;
use super::super::yaml::{Content, Key, Node};
use super::{Reader, shown};

impl Reader<'_> {
    pub(super) fn matrix(&mut self, node: &Node) -> Option<Matrix> {
        let entries = self.entries(node, "`matrix`")?;
        let mut matrix = Matrix { axes: Vec::new(), include: Vec::new(), exclude: Vec::new(), at: node.at };
        for (key, node) in entries {
            match key.name.as_str() {
                "include" => matrix.include = self.rows(node, "`include`"),
                "exclude" => matrix.exclude = self.rows(node, "`exclude`"),
                _ => matrix.axes.extend(self.axis(key, node)),
            }
        }
        if matrix.product().saturating_add(matrix.include.len()) > MAX_CELLS {
            self.wrong(node, "too_large", format!("the matrix has more than {MAX_CELLS} cells"));
            return None;
        }
        let is_named = matrix.axes.iter().any(|axis| axis.values.is_empty());
        if matrix.cells().is_empty() && is_named {
            return None;
        }
        if matrix.cells().is_empty() {
            self.wrong(node, "unsatisfiable", "the matrix has no cell; give it a list of values, or exclude less");
            return None;
        }
        self.check_rows(node, &matrix);
        Some(matrix)
    }

    /// Every cell must have the same names, or an expression could not rely on them.
    fn check_rows(&mut self, node: &Node, matrix: &Matrix) {
        let names: Vec<&str> = matrix.names().collect();
        for row in &matrix.include {
            let is_same =
                row.len() == names.len() && names.iter().all(|name| row.iter().any(|(other, _)| other == name));
            if !is_same {
                self.wrong(
                    node,
                    "invalid_value",
                    format!("each cell of `include` gives a value for {}", names.join(", ")),
                );
                return;
            }
        }
        let unknown = matrix.exclude.iter().flatten().find(|(name, _)| !names.contains(&name.as_str()));
        if let Some((name, _)) = unknown {
            self.wrong(node, "unknown_reference", format!("`exclude` names `{name}`, which the matrix does not have"));
        }
    }

    fn axis(&mut self, key: &Key, node: &Node) -> Option<Axis> {
        let name = self.word_key(key, "the matrix key");
        let what = format!("matrix key `{}`", key.name);
        let items = self.list(node, &what);
        if items.len() > MAX_CELLS {
            self.wrong(node, "too_large", format!("{what} has more than {MAX_CELLS} values"));
            return None;
        }
        let mut values: Vec<Value> = Vec::new();
        for item in items {
            let Some(value) = self.cell_value(item, &what) else { continue };
            if values.iter().any(|other| other.meant() == value.meant()) {
                self.wrong(item, "duplicate", format!("{what} has {} twice", shown(item)));
            } else {
                values.push(value);
            }
        }
        if items.is_empty() {
            self.wrong_key(key, "unsatisfiable", format!("{what} has no values"));
        }
        Some(Axis { name: name?, values })
    }

    /// What a value of a cell is: without quotes, the word that is written.
    fn cell_value(&mut self, node: &Node, what: &str) -> Option<Value> {
        let text = self.string(node, &format!("a value of {what}"))?;
        let is_plain = matches!(&node.content, Content::Scalar { is_plain: true, .. });
        Some(if is_plain { Value::Word(text) } else { Value::Text(text) })
    }

    fn rows(&mut self, node: &Node, what: &str) -> Vec<Vec<(String, Value)>> {
        let items = self.list(node, what);
        if items.len() > MAX_CELLS {
            self.wrong(node, "too_large", format!("{what} has more than {MAX_CELLS} cells"));
            return Vec::new();
        }
        let mut rows = Vec::new();
        for item in items {
            let entries = self.entries(item, &format!("a cell of {what}")).unwrap_or_default();
            if entries.is_empty() {
                self.wrong(item, "invalid_value", format!("a cell of {what} has at least one value"));
                continue;
            }
            let pair = |reader: &mut Self, key: &Key, node: &Node| {
                let name = reader.word_key(key, "the matrix key")?.value;
                Some((name, reader.cell_value(node, what)?))
            };
            rows.push(entries.iter().filter_map(|(key, node)| pair(self, key, node)).collect());
        }
        rows
    }
}
