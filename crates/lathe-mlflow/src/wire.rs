//! The wire format of MLflow's REST API: reading requests as its clients write them, writing answers as they read them.
//!
//! MLflow's server reads JSON through protobuf and then through hand-written checks. What follows from that is kept: numbers
//! may come as texts, null is absence, unknown fields and unknown words of enums are ignored, a query is read like a body.
//! What does not help anybody is not: a value of the wrong type is always refused, and never stored as zero.

mod answer;
mod body;
mod fields;
mod form;
mod number;
pub(crate) mod paths;
mod python;
mod query;

pub(crate) use answer::{Answer, Empty, LATHE_VERSION, Reply, VERSION, empty, is_empty};
pub(crate) use fields::Fields;
pub(crate) use form::{Captured, Form, parse_object, read_json};
pub(crate) use number::{Double, Integer};

/// The largest JSON body of most routes.
pub(crate) const JSON_BYTES: usize = 1024 * 1024;
/// The largest body of routes that carry many things or large ones: batches, datasets with their schemas.
pub(crate) const LARGE_JSON_BYTES: usize = 4 * 1024 * 1024;
