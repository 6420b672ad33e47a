//! Checks and generators of this repository: `cargo xtask arch | openapi | schema`.

mod arch;
mod openapi;
mod schema;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks and generators of this repository")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Checks the layer rules of ARCHITECTURE.md against the crates' dependencies.
    Arch,
    /// Writes openapi.json from the code.
    Openapi {
        /// Only check that the file is current.
        #[arg(long)]
        check: bool,
    },
    /// Checks that SQLite and PostgreSQL have the same tables, columns and indexes.
    Schema {
        /// A PostgreSQL in which a schema may be made.
        #[arg(long, env = "LATHE_TEST_POSTGRES_URL")]
        postgres_url: String,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Arch => arch::check(),
        Task::Openapi { check: true } => openapi::check(),
        Task::Openapi { check: false } => openapi::write(),
        Task::Schema { postgres_url } => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(schema::check(&postgres_url))
        }
    }
}
