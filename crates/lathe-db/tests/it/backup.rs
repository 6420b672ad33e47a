use std::io::Cursor;

use futures::FutureExt as _;
use lathe_core::Code;
use lathe_db::backup::{Collect, dump, load};
use lathe_db::{Db, DbKind, Migration, Schema, Value, lease, ledger, migrate, query};
use lathe_testkit::{TestDatabase, ctx, store_test};

const FIRST: Migration = Migration {
    version: 1,
    statements: &[
        "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, name {text}, data {bytes}, size DOUBLE PRECISION, is_new BOOLEAN) \
         {clustered}",
    ],
};
const SECOND: Migration =
    Migration { version: 2, statements: &["CREATE TABLE later (id BIGINT NOT NULL PRIMARY KEY)"] };
const THINGS: Schema = Schema { room: "things", migrations: &[FIRST] };
const NEWER: Schema = Schema { room: "things", migrations: &[FIRST, SECOND] };

async fn fill(db: &Db) {
    db.write(|tx| {
        async move {
            let mut insert = query("INSERT INTO things (id, name, data, size, is_new) VALUES ");
            insert.push_rows((0..100_i64).map(|id| {
                let is_full = id % 10 != 0;
                [
                    Value::from(id),
                    Value::from(is_full.then(|| format!("n\"{id}\n\u{1F52D}"))),
                    Value::from(is_full.then(|| vec![0, 255, u8::try_from(id).unwrap()])),
                    Value::from(
                        is_full
                            .then(|| if id == 5 { f64::INFINITY } else { f64::from(u8::try_from(id).unwrap()) / 3.0 }),
                    ),
                    Value::from(is_full.then_some(id % 2 == 0)),
                ]
            }));
            tx.execute(insert).await?;
            let subject = lathe_core::Name::parse("default/run/00000000000070008000000000000001")?;
            tx.record(&ctx(), lathe_core::Event::new("run.created", subject, serde_json::json!({"a": "b"}))).await
        }
        .boxed()
    })
    .await
    .unwrap();
}

async fn free_leases(db: &Db) -> bool {
    lease::acquire(db, "gc", "another", 1, 1).await.unwrap().is_some()
}

async fn dumped(db: &Db) -> (String, lathe_db::backup::Copied) {
    let mut text = Vec::new();
    let copied = dump(db, &mut text, &[Collect { table: "things", column: "name" }]).await.unwrap();
    (String::from_utf8(text).unwrap(), copied)
}

store_test!([THINGS] async fn a_backup_restores_into_either_database(db: Db) {
    fill(&db).await;
    // Who makes the backup keeps a lease meanwhile: it is none of what was restored.
    lease::acquire(&db, "gc", "backup", 0, 3_600_000).await.unwrap();
    assert!(!free_leases(&db).await);
    let (text, copied) = dumped(&db).await;
    assert!(!text.contains("leases"));
    assert_eq!((copied.rows, copied.collected.len()), (101, 90));
    let folder = tempfile::tempdir().unwrap();
    for target in TestDatabase::empty(&folder).await {
        let loaded = load(&target, &[ledger::SCHEMA, THINGS], Cursor::new(text.clone()), 7).await.unwrap();
        assert_eq!((loaded.rows, loaded.tables), (copied.rows, copied.tables));
        // The same text again, line by line: nothing was lost or turned into something else.
        let (again, _) = dumped(&target).await;
        let sorted = |text: &str| { let mut lines: Vec<String> = text.lines().map(str::to_owned).collect(); lines.sort(); lines };
        assert_eq!(sorted(&again), sorted(&text));
        assert!(free_leases(&target).await);
        // It is upgraded like the database it came from, and never overwritten.
        migrate(&target, &[ledger::SCHEMA, NEWER], 8).await.unwrap();
        let refused = load(&target, &[ledger::SCHEMA, NEWER], Cursor::new(text.clone()), 9).await.unwrap_err();
        assert_eq!(refused.code(), Code::Conflict);
    }
});

store_test!([THINGS] async fn a_text_that_only_one_database_takes_restores_into_both(db: Db) {
    fill(&db).await;
    let text = dumped(&db).await.0;
    let with_nul = text.replace(r#""n\"1\n"#, r#""n\u0000\"1\n"#);
    assert_ne!(with_nul, text);
    let folder = tempfile::tempdir().unwrap();
    for target in TestDatabase::empty(&folder).await {
        load(&target, &[ledger::SCHEMA, THINGS], Cursor::new(with_nul.clone()), 7).await.unwrap();
        let row = target.fetch_optional(query("SELECT name FROM things WHERE id = 1")).await.unwrap().unwrap();
        let name: String = row.get(0).unwrap();
        let expected = match target.kind() {
            DbKind::Sqlite => "n\0\"1\n\u{1F52D}",
            DbKind::Postgres => "n\\u{0}\"1\n\u{1F52D}",
        };
        assert_eq!(name, expected);
    }
});

store_test!([THINGS] async fn the_leases_of_an_older_backup_are_forgotten(db: Db) {
    fill(&db).await;
    let (text, copied) = dumped(&db).await;
    let end = format!("{{\"end_after_rows\":{}}}", copied.rows);
    let held = r#"{"table":"leases","columns":["name","holder","fence","expires_at_ms"]}
["gc","backup",1,3600000]
"#;
    let older = text.replace(&end, &format!("{held}{{\"end_after_rows\":{}}}", copied.rows + 1));
    assert_ne!(older, text);
    let folder = tempfile::tempdir().unwrap();
    for target in TestDatabase::empty(&folder).await {
        load(&target, &[ledger::SCHEMA, THINGS], Cursor::new(older.clone()), 7).await.unwrap();
        assert!(free_leases(&target).await);
    }
});

store_test!([THINGS] async fn what_is_no_complete_backup_leaves_the_database_empty(db: Db) {
    fill(&db).await;
    let (text, _) = dumped(&db).await;
    let line = text.lines().find(|line| line.starts_with("[1,")).unwrap();
    let broken = [
        text.lines().take(50).collect::<Vec<_>>().join("\n"),
        text.replacen(line, "", 1).replace("\n\n", "\n"),
        text.replacen("\"name\"", "\"name) SELECT 1 --\"", 1),
        text.replacen("\"things\",\"columns\"", "\"users\",\"columns\"", 1),
        text.replacen(line, "[1]", 1),
        "hello".to_owned(),
        String::new(),
    ];
    let folder = tempfile::tempdir().unwrap();
    for target in TestDatabase::empty(&folder).await {
        for text in &broken {
            let refused = load(&target, &[ledger::SCHEMA, THINGS], Cursor::new(text.clone()), 0).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{}", refused.message());
            assert!(lathe_db::introspect(&target).await.unwrap().is_empty());
        }
        let newer = text.replacen("\"things\":1", "\"things\":3", 1);
        let refused = load(&target, &[ledger::SCHEMA, THINGS], Cursor::new(newer), 0).await.unwrap_err();
        assert_eq!(refused.code(), Code::Conflict);
    }
});
