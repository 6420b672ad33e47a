use futures::FutureExt as _;
use lathe_core::{Code, Error};
use lathe_db::{Db, DbOptions, Migration, Schema, query};
use lathe_testkit::store_test;

const NOTES: Schema = Schema {
    room: "notes",
    migrations: &[Migration {
        version: 1,
        statements: &[
            "CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, body {text} NOT NULL, data {bytes}) {clustered}",
        ],
    }],
};

async fn insert(db: &Db, id: i64) -> lathe_core::Result<()> {
    db.write(move |tx| {
        async move { tx.execute(query("INSERT INTO notes (id, body) VALUES ($1, $2)").bind(id).bind("x")).await.map(|_| ()) }
            .boxed()
    })
    .await
}

async fn count(db: &Db) -> i64 {
    db.fetch_one(query("SELECT COUNT(*) FROM notes")).await.unwrap().get(0).unwrap()
}

store_test!([NOTES] async fn a_failed_write_leaves_nothing_and_spoils_no_other(db: Db) {
    let writes = (0..200_i64).map(|i| {
        let db = db.clone();
        async move {
            db.write(move |tx| async move {
                tx.execute(query("INSERT INTO notes (id, body) VALUES ($1, $2)").bind(i).bind("x")).await?;
                if i % 3 == 0 { return Err(Error::conflict("asked to fail")); }
                Ok(i)
            }.boxed()).await
        }
    });
    let results = futures::future::join_all(writes).await;
    for (i, result) in (0..).zip(&results) {
        assert_eq!(result.is_err(), i % 3 == 0, "{i}: {result:?}");
    }
    assert_eq!(count(&db).await, 133);
});

store_test!([NOTES] async fn a_panic_inside_a_write_becomes_an_error_of_that_write_alone(db: Db) {
    let panicked = db.write(|_tx| async move { if true { panic!("boom") } Ok(()) }.boxed()).await;
    assert_eq!(panicked.unwrap_err().code(), Code::Internal);
    insert(&db, 1).await.unwrap();
    assert_eq!(count(&db).await, 1);
});

store_test!([NOTES] async fn a_unique_violation_is_already_exists(db: Db) {
    insert(&db, 1).await.unwrap();
    assert_eq!(insert(&db, 1).await.unwrap_err().code(), Code::AlreadyExists);
    assert_eq!(count(&db).await, 1);
});

store_test!([NOTES] async fn like_is_case_sensitive(db: Db) {
    insert(&db, 1).await.unwrap();
    let row = db.fetch_optional(query("SELECT id FROM notes WHERE body LIKE $1").bind("X")).await.unwrap();
    assert!(row.is_none());
});

store_test!([NOTES] async fn a_closed_gate_refuses_writes_and_lets_reads_pass(db: Db) {
    db.gate().set_closed(true);
    assert_eq!(insert(&db, 1).await.unwrap_err().code(), Code::OutOfSpace);
    assert_eq!(count(&db).await, 0);
    db.gate().set_closed(false);
    insert(&db, 1).await.unwrap();
});

store_test!([NOTES] async fn a_newer_schema_is_refused(db: Db) {
    const OLDER: Schema = Schema { room: "notes", migrations: &[] };
    let refused = lathe_db::migrate(&db, &[OLDER], 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::Conflict);
    assert!(refused.message().contains("newer Lathe"), "{refused}");
});

store_test!([NOTES] async fn a_write_that_ignores_a_failed_statement_is_not_stored(db: Db) {
    let answer = db.write(|tx| async move {
        let insert = || query("INSERT INTO notes (id, body) VALUES ($1, $2)").bind(1_i64).bind("x");
        tx.execute(insert()).await?;
        let _ = tx.execute(insert()).await;
        Ok(())
    }.boxed()).await;
    assert_eq!(answer.unwrap_err().code(), Code::Internal);
    assert_eq!(count(&db).await, 0);
});

#[tokio::test]
async fn a_write_that_gets_no_transaction_stores_nothing() {
    let database = lathe_testkit::TestDatabase::sqlite(&[NOTES]).await;
    let other = Db::open(&database.url, &lathe_db::DbOptions::default()).await.unwrap();
    let (started, start) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let holder = tokio::spawn(async move {
        let written = database.db.write(move |tx| {
            async move {
                tx.execute(query("INSERT INTO notes (id, body) VALUES (1, 'held')")).await?;
                let _ = started.send(());
                let _ = released.await;
                Ok(())
            }
            .boxed()
        });
        written.await.map(|()| database)
    });
    start.await.unwrap();
    // Waits for SQLite's busy time-out of ten seconds and is then refused.
    assert_eq!(insert(&other, 2).await.unwrap_err().code(), Code::Unavailable);
    release.send(()).unwrap();
    let database = holder.await.unwrap().unwrap();
    assert_eq!(count(&database.db).await, 1);
}

store_test!([NOTES] async fn a_nul_character_is_the_callers_fault(db: Db) {
    let filter = lathe_db::ledger::EventFilter { actor: Some("a\0".to_owned()), ..Default::default() };
    let refused = lathe_db::ledger::list(&lathe_testkit::ctx(), &db, &filter, None, 5).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(lathe_core::Name::parse("default/run/\0").is_err());
});

store_test!([NOTES] async fn bytes_that_the_database_joined_come_back_as_bytes(db: Db) {
    db.write(|tx| async move {
        tx.execute(query("INSERT INTO notes (id, body, data) VALUES ($1, $2, $3)").bind(1_i64).bind("x").bind(vec![0xff_u8, 0])).await?;
        tx.execute(query("UPDATE notes SET data = data || $1").bind(vec![0xfe_u8])).await
    }.boxed()).await.unwrap();
    let row = db.fetch_one(query("SELECT data FROM notes")).await.unwrap();
    assert_eq!(row.get::<Vec<u8>>("data").unwrap(), [0xff, 0, 0xfe]);
});

/// Of SQLite alone: PostgreSQL runs a statement to its end on a process of its own.
#[tokio::test]
async fn a_reader_that_goes_away_gives_its_connection_free() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("lathe.db").display());
    let options = DbOptions { max_connections: 1, ..DbOptions::default() };
    let db = Db::open(&url, &options).await.unwrap();
    for _ in 0..3 {
        let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";
        let read = db.fetch_one(query(endless));
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), read).await.is_err());
    }
    db.ping().await.unwrap();
}

async fn insert_briefly(db: &Db, id: i64) -> lathe_core::Result<()> {
    let note = query("INSERT INTO notes (id, body) VALUES ($1, $2)").bind(id).bind("brief");
    db.write_brief(move |tx| async move { tx.execute(note).await.map(|_| ()) }.boxed()).await
}

store_test!([NOTES] async fn brief_writes_beside_others_are_all_stored_and_fail_alone(db: Db) {
    insert_briefly(&db, 0).await.unwrap();
    assert_eq!(insert_briefly(&db, 0).await.unwrap_err().code(), Code::AlreadyExists);
    let panicked = db.write_brief(|_tx| async move { if true { panic!("boom") } Ok(()) }.boxed()).await;
    assert_eq!(panicked.unwrap_err().code(), Code::Internal);
    let writes = (1..=300_i64).map(|id| {
        let db = db.clone();
        tokio::spawn(async move { if id % 2 == 0 { insert(&db, id).await } else { insert_briefly(&db, id).await } })
    });
    for written in futures::future::join_all(writes).await {
        written.unwrap().unwrap();
    }
    assert_eq!(count(&db).await, 301);
});

/// Of SQLite alone: it does such a write on the thread that asks.
#[tokio::test]
async fn a_brief_write_that_waits_is_refused_and_leaves_nothing() {
    let database = lathe_testkit::TestDatabase::sqlite(&[NOTES]).await;
    let written = database.db.write_brief(|tx| {
        async move {
            tx.execute(query("INSERT INTO notes (id, body) VALUES (1, 'x')")).await?;
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            Ok(())
        }
        .boxed()
    });
    assert!(written.await.is_err());
    insert_briefly(&database.db, 2).await.unwrap();
    assert_eq!(count(&database.db).await, 1);
}

store_test!([NOTES] async fn a_long_read_answers_as_a_short_one(db: Db) {
    let sum = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT CAST(SUM(i) AS BIGINT) FROM n";
    let row = db.fetch_one(query(sum)).await.unwrap();
    assert_eq!(row.get::<i64>(0).unwrap(), 20_000_100_000);
    db.ping().await.unwrap();
});
