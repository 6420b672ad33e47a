//! The search language of MLflow's clients: text to typed clauses.
//!
//! `entity.key OP value AND …`, and `key ASC|DESC` for orders. What may be searched differs by thing, so each has a
//! [`Language`]; what a clause means in SQL is the business of the room that owns the tables. Nothing here touches a
//! database but [`push_text_comparison`], which writes one comparison so that both databases read it alike.

mod clause;
mod language;
mod messages;
mod order;
mod parse;
mod sql;

pub use clause::{Clause, Comparator, Entity, Value};
pub use language::{EXPERIMENTS, LOGGED_MODELS, Language, MODEL_VERSIONS, REGISTERED_MODELS, RUNS};
pub use order::{Order, parse_order_by};
pub use parse::parse_filter;
pub use sql::push_text_comparison;
