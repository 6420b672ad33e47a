//! What goes into a model and what comes out: columns or tensors, independent of any wire format.

use bytes::Bytes;
use lathe_core::{Error, Result};

/// Rows as columns of equal length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// In the order of the request, or of the model's answer.
    pub columns: Vec<Column>,
}

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name; of a table without names, the position (`0`, `1`, …).
    pub name: String,
    /// One value a row.
    pub values: Values,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers; NaN is missing.
    Float64(Vec<f64>),
    /// Whole numbers, none missing.
    Int64(Vec<i64>),
    /// Truth values, none missing.
    Bool(Vec<bool>),
    /// Texts; `None` is missing.
    Text(Vec<Option<String>>),
    /// Byte strings; `None` is missing.
    Binary(Vec<Option<Vec<u8>>>),
    /// Milliseconds since 1970 (UTC); `None` is missing.
    Datetime(Vec<Option<i64>>),
    /// Lists, objects and values of several types, each one JSON text; `None` is missing. Nothing but missing values of no known type
    /// are these, too.
    Json(Vec<Option<String>>),
}

impl Values {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Values::Float64(values) => values.len(),
            Values::Int64(values) => values.len(),
            Values::Bool(values) => values.len(),
            Values::Text(values) | Values::Json(values) => values.len(),
            Values::Binary(values) => values.len(),
            Values::Datetime(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there are values and all of them are missing. They have no kind of their own: they are what is asked for.
    pub fn is_missing(&self) -> bool {
        let is_nothing = match self {
            Values::Float64(values) => values.iter().all(|value| value.is_nan()),
            Values::Int64(_) | Values::Bool(_) => false,
            Values::Text(values) | Values::Json(values) => values.iter().all(Option::is_none),
            Values::Binary(values) => values.iter().all(Option::is_none),
            Values::Datetime(values) => values.iter().all(Option::is_none),
        };
        is_nothing && !self.is_empty()
    }

    /// The kind of the values, in words of a model's signature.
    pub fn kind(&self) -> &'static str {
        match self {
            Values::Float64(_) => "double",
            Values::Int64(_) => "long",
            Values::Bool(_) => "boolean",
            Values::Text(_) => "string",
            Values::Binary(_) => "binary",
            Values::Datetime(_) => "datetime",
            Values::Json(_) => "object",
        }
    }
}

impl Table {
    /// How many rows: the length of the first column.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// The number of 32 bit; `None` for one beyond them, which would become infinite.
#[expect(clippy::cast_possible_truncation, reason = "only precision is lost")]
pub fn to_f32(value: f64) -> Option<f32> {
    let narrow = value as f32;
    (narrow.is_finite() || !value.is_finite()).then_some(narrow)
}

/// The type of a tensor's elements, by the names of the Open Inference Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Datatype {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned, 8 bit.
    Uint8,
    /// Unsigned, 16 bit.
    Uint16,
    /// Unsigned, 32 bit.
    Uint32,
    /// Unsigned, 64 bit.
    Uint64,
    /// Signed, 8 bit.
    Int8,
    /// Signed, 16 bit.
    Int16,
    /// Signed, 32 bit.
    Int32,
    /// Signed, 64 bit.
    Int64,
    /// IEEE 754, 16 bit.
    Fp16,
    /// IEEE 754, 32 bit.
    Fp32,
    /// IEEE 754, 64 bit.
    Fp64,
    /// Byte strings, each behind its length (32 bit).
    Bytes,
}

impl Datatype {
    /// All types.
    pub const ALL: [Datatype; 13] = [
        Datatype::Bool,
        Datatype::Uint8,
        Datatype::Uint16,
        Datatype::Uint32,
        Datatype::Uint64,
        Datatype::Int8,
        Datatype::Int16,
        Datatype::Int32,
        Datatype::Int64,
        Datatype::Fp16,
        Datatype::Fp32,
        Datatype::Fp64,
        Datatype::Bytes,
    ];

    /// The name in the Open Inference Protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Datatype::Bool => "BOOL",
            Datatype::Uint8 => "UINT8",
            Datatype::Uint16 => "UINT16",
            Datatype::Uint32 => "UINT32",
            Datatype::Uint64 => "UINT64",
            Datatype::Int8 => "INT8",
            Datatype::Int16 => "INT16",
            Datatype::Int32 => "INT32",
            Datatype::Int64 => "INT64",
            Datatype::Fp16 => "FP16",
            Datatype::Fp32 => "FP32",
            Datatype::Fp64 => "FP64",
            Datatype::Bytes => "BYTES",
        }
    }

    /// Parses a name of the Open Inference Protocol.
    ///
    /// # Errors
    /// `InvalidArgument` for any other word.
    pub fn parse(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|datatype| datatype.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Datatype::as_str).join(", ");
            Error::invalid(format!("datatype {text:?} does not exist; datatypes are {known}"))
        })
    }

    /// Bytes of an element; `None` for byte strings.
    pub fn size_bytes(self) -> Option<usize> {
        match self {
            Datatype::Bool | Datatype::Uint8 | Datatype::Int8 => Some(1),
            Datatype::Uint16 | Datatype::Int16 | Datatype::Fp16 => Some(2),
            Datatype::Uint32 | Datatype::Int32 | Datatype::Fp32 => Some(4),
            Datatype::Uint64 | Datatype::Int64 | Datatype::Fp64 => Some(8),
            Datatype::Bytes => None,
        }
    }
}

/// An array of any number of dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its name; of the only tensor of a model without names, empty.
    pub name: String,
    /// What the elements are.
    pub datatype: Datatype,
    /// The length of each dimension; the first counts rows.
    pub shape: Vec<i64>,
    /// The elements in row-major order, little endian; of [`Datatype::Bytes`], each behind its length as 32 bit.
    pub data: Bytes,
}

impl Tensor {
    /// A tensor whose data has the length that type and shape ask for.
    ///
    /// # Errors
    /// `InvalidArgument` when it has not, or when the shape has a negative length or is too large.
    pub fn new(name: String, datatype: Datatype, shape: Vec<i64>, data: Bytes) -> Result<Self> {
        let tensor = Self { name, datatype, shape, data };
        let count = tensor.count()?;
        let has = match datatype.size_bytes() {
            Some(size_bytes) if count.checked_mul(size_bytes) == Some(tensor.data.len()) => return Ok(tensor),
            Some(size_bytes) => tensor.data.len() / size_bytes,
            None => tensor.byte_strings().count(),
        };
        if datatype == Datatype::Bytes && has == count && tensor.byte_strings().all(|text| text.is_some()) {
            return Ok(tensor);
        }
        Err(Error::invalid(format!(
            "tensor `{}` of shape {:?} and type {} needs {count} elements; its data holds {has}",
            tensor.name,
            tensor.shape,
            datatype.as_str()
        )))
    }

    /// How many elements the shape says.
    ///
    /// # Errors
    /// `InvalidArgument` for a negative length, or a product beyond what a machine counts.
    pub fn count(&self) -> Result<usize> {
        let count = self.shape.iter().try_fold(1_usize, |product, length| {
            usize::try_from(*length).ok().and_then(|length| product.checked_mul(length))
        });
        count.ok_or_else(|| Error::invalid(format!("tensor `{}` cannot have the shape {:?}", self.name, self.shape)))
    }

    /// The length of the first dimension; 1 without dimensions.
    pub fn rows(&self) -> usize {
        self.shape.first().map_or(1, |length| usize::try_from(*length).unwrap_or_default())
    }

    /// The elements of an FP32 or FP64 tensor.
    pub fn floats(&self) -> Option<Vec<f64>> {
        match self.datatype {
            Datatype::Fp32 => {
                Some(self.data.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect())
            }
            Datatype::Fp64 => Some(self.data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()),
            _ => None,
        }
    }

    /// The elements of a tensor of any kind of numbers, the largest integers rounded; `None` for others.
    #[expect(clippy::cast_precision_loss, reason = "said above")]
    pub fn numbers(&self) -> Option<Vec<f64>> {
        macro_rules! numbers {
            ($kind:ty) => {
                Some(self.data.as_chunks().0.iter().map(|bytes| <$kind>::from_le_bytes(*bytes) as f64).collect())
            };
        }
        match self.datatype {
            Datatype::Uint8 => numbers!(u8),
            Datatype::Uint16 => numbers!(u16),
            Datatype::Uint32 => numbers!(u32),
            Datatype::Uint64 => numbers!(u64),
            Datatype::Int8 => numbers!(i8),
            Datatype::Int16 => numbers!(i16),
            Datatype::Int32 => numbers!(i32),
            Datatype::Int64 => numbers!(i64),
            Datatype::Fp32 | Datatype::Fp64 => self.floats(),
            Datatype::Bool | Datatype::Fp16 | Datatype::Bytes => None,
        }
    }

    /// The elements of a [`Datatype::Bytes`] tensor; a last `None` when the data ends within an element.
    pub fn byte_strings(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let mut rest: &[u8] = &self.data;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let split = rest.split_first_chunk::<4>().and_then(|(length, after)| {
                after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX))
            });
            let (element, after) = match split {
                Some((element, after)) => (Some(element), after),
                None => (None, &[][..]),
            };
            rest = after;
            Some(element)
        })
    }
}

/// What a model is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Inputs {
    /// Rows with named columns.
    Table(Table),
    /// Arrays.
    Tensors(Vec<Tensor>),
}

impl Inputs {
    /// How many rows; of tensors, the first dimension of the first.
    pub fn rows(&self) -> usize {
        rows(self.as_parts())
    }

    fn as_parts(&self) -> (Option<&Table>, &[Tensor]) {
        match self {
            Inputs::Table(table) => (Some(table), &[]),
            Inputs::Tensors(tensors) => (None, tensors),
        }
    }
}

/// What a model answers, row by row as it was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Outputs {
    /// Rows with named columns: a data frame or a series (named `0` without a name).
    Table(Table),
    /// Arrays; an only one whose name is empty is an array, or a list of scalars, without a name.
    Tensors(Vec<Tensor>),
    /// Anything else, as one JSON text.
    Json(String),
}

impl Outputs {
    /// How many rows; of tensors, the first dimension of the first; of JSON, one.
    pub fn rows(&self) -> usize {
        match self {
            Outputs::Table(table) => rows((Some(table), &[])),
            Outputs::Tensors(tensors) => rows((None, tensors)),
            Outputs::Json(_) => 1,
        }
    }
}

fn rows(parts: (Option<&Table>, &[Tensor])) -> usize {
    match parts {
        (Some(table), _) => table.rows(),
        (None, tensors) => tensors.first().map_or(0, Tensor::rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_has_the_data_its_shape_asks_for() {
        let of = |datatype, shape: &[i64], data: &'static [u8]| {
            Tensor::new("x".to_owned(), datatype, shape.to_vec(), Bytes::from_static(data))
        };
        assert!(of(Datatype::Int16, &[2, 1], &[1, 0, 2, 0]).is_ok());
        assert!(of(Datatype::Bytes, &[2], &[1, 0, 0, 0, b'a', 0, 0, 0, 0]).is_ok());
        assert!(of(Datatype::Bytes, &[1], &[9, 0, 0, 0, b'a']).is_err());
        assert!(of(Datatype::Bytes, &[1], &[1, 0]).is_err());
        assert!(of(Datatype::Int16, &[2], &[1, 0]).is_err());
        assert!(of(Datatype::Uint8, &[-1], &[]).is_err());
        assert!(of(Datatype::Fp64, &[i64::MAX, 8], &[]).is_err());
    }
}
