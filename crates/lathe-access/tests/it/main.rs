//! Tests of the room from the outside, on both databases, with a clock that moves only when told.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

mod members;
mod passwords;
mod projects;
mod secrets;
mod sessions;
mod start;
mod tokens;
mod users;
mod world;
