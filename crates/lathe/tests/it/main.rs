//! The binary, driven from outside: a real process, a real database, real requests.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

mod permissions;
mod safety;
