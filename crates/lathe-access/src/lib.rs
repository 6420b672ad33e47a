//! Who may do what: people, projects, members with roles, access tokens, browser sessions; and what jobs may know: secrets.
//!
//! The HTTP frame calls [`Access::resolve`] once per request: credentials and a project become a [`lathe_core::Ctx`]. What
//! that context then allows is a pure function of core. Nothing here knows HTTP.
//!
//! **Invariants:** no secret is stored in clear (passwords as argon2id, tokens and sessions as SHA-256, secrets of jobs encrypted),
//! recorded in an event or printed by `Debug`. Every change goes through `Access::change`, which forgets whatever was cached about credentials.

mod access;
mod cache;
pub mod members;
mod passwords;
pub mod projects;
mod resolve;
mod s3_keys;
mod schema;
mod sealed;
mod secret;
pub mod secrets;
pub mod sessions;
mod store;
pub mod tokens;
pub mod users;

pub use access::{Access, FirstStart, Mode};
pub use resolve::Credentials;
pub use s3_keys::{S3KeyPair, ServerKey};
pub use schema::SCHEMA;
