//! The binary, driven from outside: a real process, a real database, real requests.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

mod backup;
mod cli;
mod cli_people;
mod cli_reference;
mod cli_start;
mod data;
mod permissions;
mod safety;
mod upgrade;
