use std::collections::BTreeMap;

use lathe_core::Code;
use lathe_data::changes::*;
use lathe_data::commits::*;
use lathe_db::{DbKind, FutureExt as _};
use lathe_testkit::store_test;

use crate::*;

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_commit_keeps_what_was_staged(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.put("main", "large", &large("l")).await;
    let metadata = BTreeMap::from([("ticket".to_owned(), "ML-7".to_owned())]);
    let request = CreateCommit { message: "First\n\nwith a body".to_owned(), metadata };
    let made = commit(&world.ctx, &world.data, &world.images, &world.main, request).await.unwrap();
    assert_eq!((made.paths, made.size_bytes, made.height), (2, 10_002, 1));
    assert_eq!((made.author.name.as_str(), made.metadata["ticket"].as_str()), ("tester", "ML-7"));
    let found = get_commit(&world.ctx, &world.data, &world.images, &at(made.id.short())).await.unwrap();
    assert_eq!(found, made);
    assert_eq!(world.count("SELECT COUNT(*) FROM staged").await, 0);
    assert_eq!(world.count("SELECT COUNT(*) FROM data_objects").await, 1);
    assert_eq!(world.read("main", "a").await.as_deref(), Some("1"));
    let parent = made.parents[0].as_str().to_owned();
    assert_eq!(world.edges().await, [(parent, made.id.to_string(), "committed".to_owned())]);
    assert_eq!(world.actions().await.last().unwrap(), "data.committed");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn nothing_is_committed_twice(db: Db) {
    let world = world(&db).await;
    assert_eq!(code(world.try_commit("main", "nothing").await), Code::Conflict);
    world.put("main", "a", "1").await;
    let made = world.commit("main", "one").await;
    assert_eq!(code(world.try_commit("main", "again").await), Code::Conflict);
    // The same bytes once more are no change, though their time is another.
    world.put("main", "a", "1").await;
    assert!(world.changes(Compared::Uncommitted(world.main.clone()), "", 10).await.is_empty());
    assert_eq!(code(world.try_commit("main", "same").await), Code::Conflict);
    assert_eq!(world.count("SELECT COUNT(*) FROM staged").await, 0);
    let head = get_commit(&world.ctx, &world.data, &world.images, &at("main")).await.unwrap();
    assert_eq!(head, made);
    assert_eq!(code(world.try_commit("nope", "x").await), Code::NotFound);
    assert_eq!(code(world.try_commit("main", "  ").await), Code::InvalidArgument);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn equal_states_are_one_tree_whatever_their_history(db: Db) {
    let world = world(&db).await;
    world.branch("other", "main").await;
    for at in ["a", "b", "c"] {
        world.put("main", at, at).await;
    }
    world.commit("main", "at once").await;
    for at in ["c", "x", "a", "b"] {
        world.put("other", at, at).await;
        world.commit("other", at).await;
    }
    world.delete("other", "x").await;
    world.commit("other", "without x").await;
    assert!(world.changes(between("main", "other"), "", 10).await.is_empty());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn the_log_is_paged_and_children_come_before_parents(db: Db) {
    let world = world(&db).await;
    for number in 0..7 {
        world.put("main", "a", &number.to_string()).await;
        world.commit("main", &number.to_string()).await;
    }
    let read = async |max_results: usize| {
        let (mut messages, mut page_token) = (Vec::new(), None);
        loop {
            let request = Log { from: at("main"), page_token, max_results };
            let page = log(&world.ctx, &world.data, &world.images, request).await.unwrap();
            messages.extend(page.commits.into_iter().map(|commit| commit.message));
            page_token = page.next_page_token;
            if page_token.is_none() {
                return messages;
            }
        }
    };
    let expected = ["6", "5", "4", "3", "2", "1", "0", "Repository created"];
    assert_eq!(read(3).await, expected);
    assert_eq!(read(100).await, expected);
    let bad = Log { from: at("main"), page_token: Some("x".to_owned()), max_results: 1 };
    assert_eq!(code(log(&world.ctx, &world.data, &world.images, bad).await), Code::InvalidArgument);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_comparison_names_what_differs_and_sums_it_up(db: Db) {
    let world = world(&db).await;
    for at in ["a/x/1", "a/y", "b/1", "b/2", "top"] {
        world.put("main", at, "12345").await;
    }
    world.commit("main", "before").await;
    world.put("main", "a/x/1", "1").await;
    world.delete("main", "b/1").await;
    world.delete("main", "b/2").await;
    world.put("main", "c/new", "123").await;
    world.put("main", "top2", "12").await;
    world.put("main", "a/y", "12345").await;
    let expected = ["changed a/x/1", "removed b/1", "removed b/2", "added c/new", "added top2"];
    let uncommitted = Compared::Uncommitted(world.main.clone());
    let folder = |added, changed, removed, bytes_before, bytes_after| Counts { added, changed, removed, bytes_after, bytes_before };
    let summary = ChangeSummary {
        total: folder(2, 1, 2, 15, 6),
        folders: [
            ("", folder(1, 0, 0, 0, 2)),
            ("a/", folder(0, 1, 0, 5, 1)),
            ("b/", folder(0, 0, 2, 10, 0)),
            ("c/", folder(1, 0, 0, 0, 3)),
        ]
        .map(|(folder, counts)| (folder.to_owned(), counts))
        .into(),
        is_truncated: false,
    };
    for max_results in [1, 2, 100] {
        assert_eq!(world.changes(uncommitted.clone(), "", max_results).await, expected);
        assert_eq!(world.changes(uncommitted.clone(), "b/", max_results).await, expected[1..3]);
    }
    let summarized = summarize_changes(&world.ctx, &world.data, &world.images, &uncommitted, "").await.unwrap();
    assert_eq!(summarized, summary);
    world.commit("main", "after").await;
    for max_results in [1, 2, 100] {
        assert_eq!(world.changes(between("main~1", "main"), "", max_results).await, expected);
        assert_eq!(world.changes(between("main~1", "main"), "b/", max_results).await, expected[1..3]);
    }
    let compared = between("main~1", "main");
    let summarized = summarize_changes(&world.ctx, &world.data, &world.images, &compared, "").await.unwrap();
    assert_eq!(summarized, summary);
    let below = summarize_changes(&world.ctx, &world.data, &world.images, &compared, "a/").await.unwrap();
    assert_eq!(below.folders, [("a/x/".to_owned(), folder(0, 1, 0, 5, 1))].into());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn staged_changes_can_be_dropped(db: Db) {
    let world = world(&db).await;
    world.put("main", "a/1", "1").await;
    world.commit("main", "one").await;
    world.put("main", "a/1", "2").await;
    world.put("main", "a/2", "2").await;
    world.put("main", "b", "2").await;
    let drop = async |prefix: &str| discard(&world.ctx, &world.data, &world.images, &world.main, prefix).await.unwrap();
    assert_eq!(drop("a/").await, 2);
    assert_eq!(world.all("main").await, ["a/1", "b"]);
    assert_eq!(world.read("main", "a/1").await.as_deref(), Some("1"));
    assert_eq!(drop("").await, 1);
    assert_eq!(drop("").await, 0);
    assert_eq!(world.actions().await.iter().filter(|action| *action == "data.discarded").count(), 2);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_is_no_branch_has_no_uncommitted_changes_and_is_named(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.commit("main", "one").await;
    lathe_data::refs::create_tag(&world.ctx, &world.data, &world.images, name("v1"), &at("main")).await.unwrap();
    for (named, code, message) in [
        ("v1", Code::InvalidArgument, "`v1` is a tag, and only branches have uncommitted changes"),
        ("typo", Code::NotFound, "branch `typo` does not exist"),
    ] {
        let compared = Compared::Uncommitted(name(named));
        let request = ListChanges { compared, prefix: String::new(), page_token: None, max_results: 9 };
        let refused = list_changes(&world.ctx, &world.data, &world.images, request).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (code, message));
    }
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn rows_of_a_large_commit_leave_nothing_to_walk_over(db: Db) {
    let world = world(&db).await;
    world.put("main", "seed", "x").await;
    world
        .db
        .write(|tx| {
            let fill = query(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20500) \
             INSERT INTO staged (repo_key, branch, path, generation, entry, at_ms) \
             SELECT repo_key, branch, 'p/' || n, generation, entry, 0 FROM staged, numbers WHERE path = 'seed'",
            );
            async move { tx.execute(fill).await }.boxed()
        })
        .await
        .unwrap();
    world.commit("main", "many").await;
    assert_eq!(world.count("SELECT COUNT(*) FROM staged").await, 0);
    if db.kind() == DbKind::Postgres {
        // What PostgreSQL counts, it tells a little later.
        let vacuumed = "SELECT vacuum_count FROM pg_stat_user_tables WHERE relid = 'staged'::regclass";
        let began = std::time::Instant::now();
        while world.count(vacuumed).await == 0 {
            assert!(began.elapsed().as_secs() < 60, "the deleted rows are left to PostgreSQL's own vacuum");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
});
