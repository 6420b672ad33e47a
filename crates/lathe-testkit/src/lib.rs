//! What tests share: a database of their own on either engine, and a real server process.
//!
//! Nothing here is linked into the product.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set up must fail at once"
)]

mod database;
mod server;

pub use database::{TestDatabase, ctx};
pub use server::{ADMIN_PASSWORD, Engine, TestServer, answer};

/// Runs one test on SQLite and on PostgreSQL: `store_test!(async fn name(db: Db) { … })` makes `name::sqlite` and
/// `name::postgres`. List the schemas to migrate in brackets before it.
#[macro_export]
macro_rules! store_test {
    ([$($schema:expr),* $(,)?] $(#[$attribute:meta])* async fn $name:ident($db:ident: Db) $body:block) => {
        mod $name {
            #[allow(unused_imports, reason = "small tests may need nothing from outside")]
            use super::*;

            async fn body($db: lathe_db::Db) $body

            $(#[$attribute])*
            #[tokio::test]
            async fn sqlite() {
                let database = $crate::TestDatabase::sqlite(&[$($schema),*]).await;
                body(database.db.clone()).await;
            }

            $(#[$attribute])*
            #[tokio::test]
            async fn postgres() {
                let database = $crate::TestDatabase::postgres(&[$($schema),*]).await;
                body(database.db.clone()).await;
            }
        }
    };
}
