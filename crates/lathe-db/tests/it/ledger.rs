use std::time::Duration;

use futures::FutureExt as _;
use lathe_core::{Clock, Ctx, Event, Kind, Name};
use lathe_db::ledger::{self, EventFilter, lineage, sealer};
use lathe_db::{Db, query};
use lathe_testkit::{ctx, store_test};

fn run(ctx: &Ctx, id: &str) -> Name {
    Name::new(&ctx.project, Kind::Run, id)
}

async fn record(db: &Db, event: Event) {
    db.write(move |tx| async move { tx.record(&ctx(), event).await }.boxed()).await.unwrap();
}

async fn record_many(db: &Db, count: usize) {
    for i in 0..count {
        record(db, Event::new("run.created", run(&ctx(), &format!("r{i}")), serde_json::json!({ "i": i }))).await;
    }
}

async fn seal(db: &Db) -> u64 {
    sealer::seal_all(db, "tester", &Clock::System).await.unwrap()
}

async fn execute(db: &Db, sql: &'static str) {
    db.write(move |tx| async move { tx.execute(query(sql)).await }.boxed()).await.unwrap();
}

store_test!([] async fn readers_see_sealed_events_only_and_in_order(db: Db) {
    record_many(&db, 5).await;
    let filter = EventFilter::default();
    assert!(ledger::list(&ctx(), &db, &filter, None, 10).await.unwrap().items.is_empty());
    assert_eq!(seal(&db).await, 5);
    let first = ledger::list(&ctx(), &db, &filter, None, 3).await.unwrap();
    assert_eq!(first.items.iter().filter_map(|e| e.position).collect::<Vec<_>>(), [5, 4, 3]);
    record_many(&db, 1).await;
    seal(&db).await;
    let token = first.next.unwrap().encode();
    let second = ledger::list(&ctx(), &db, &filter, Some(&token), 3).await.unwrap();
    assert_eq!(second.items.iter().filter_map(|e| e.position).collect::<Vec<_>>(), [2, 1]);
    assert!(second.next.is_none());
    let followed = ledger::follow(&ctx(), &db, 4, 10).await.unwrap();
    assert_eq!(followed.iter().filter_map(|e| e.position).collect::<Vec<_>>(), [5, 6]);
});

store_test!([] async fn an_untouched_chain_verifies(db: Db) {
    for _ in 0..3 {
        record_many(&db, 4).await;
        seal(&db).await;
    }
    record_many(&db, 1).await;
    let found = ledger::verify(&db).await.unwrap();
    assert_eq!((found.events, found.batches, found.unsealed, found.first_broken), (12, 3, 1, None));
});

store_test!([] async fn a_changed_event_is_named(db: Db) {
    record_many(&db, 6).await;
    seal(&db).await;
    execute(&db, "UPDATE events SET detail = '{\"i\":99}' WHERE position IN (4, 5)").await;
    let broken = ledger::verify(&db).await.unwrap().first_broken.unwrap();
    assert_eq!(broken.position, 4);
    assert!(broken.reason.contains("changed"), "{}", broken.reason);
});

store_test!([] async fn a_changed_hash_is_named(db: Db) {
    record_many(&db, 6).await;
    seal(&db).await;
    execute(&db, "UPDATE events SET hash = (SELECT other.hash FROM events other WHERE other.position = 1) WHERE position = 3")
        .await;
    assert_eq!(ledger::verify(&db).await.unwrap().first_broken.unwrap().position, 3);
});

store_test!([] async fn a_removed_event_is_named(db: Db) {
    record_many(&db, 6).await;
    seal(&db).await;
    execute(&db, "DELETE FROM events WHERE position = 2").await;
    assert_eq!(ledger::verify(&db).await.unwrap().first_broken.unwrap().position, 2);
});

store_test!([] async fn a_changed_edge_is_named(db: Db) {
    let event = Event::new("run.created", run(&ctx(), "b"), serde_json::json!({}))
        .with_edge(run(&ctx(), "a"), run(&ctx(), "b"), "read");
    record_many(&db, 2).await;
    record(&db, event).await;
    seal(&db).await;
    execute(&db, "UPDATE edges SET from_name = 'default/run/x'").await;
    assert_eq!(ledger::verify(&db).await.unwrap().first_broken.unwrap().position, 3);
});

store_test!([] async fn a_removed_batch_is_named(db: Db) {
    for _ in 0..3 {
        record_many(&db, 2).await;
        seal(&db).await;
    }
    execute(&db, "DELETE FROM seals WHERE batch = 2").await;
    assert_eq!(ledger::verify(&db).await.unwrap().first_broken.unwrap().position, 3);
});

store_test!([] async fn more_events_than_one_batch_are_all_sealed(db: Db) {
    record_many(&db, 520).await;
    assert_eq!(seal(&db).await, 520);
    let found = ledger::verify(&db).await.unwrap();
    assert_eq!((found.events, found.batches, found.first_broken), (520, 2, None));
});

store_test!([] async fn lineage_walks_up_and_down_within_the_project(db: Db) {
    let ctx = ctx();
    for (from, to) in [("data", "train"), ("train", "model"), ("model", "deploy")] {
        let event = Event::new("run.created", run(&ctx, to), serde_json::json!({}))
            .with_edge(run(&ctx, from), run(&ctx, to), "read");
        record(&db, event).await;
    }
    let names = |n: &lineage::Neighbourhood| n.nodes.iter().map(|(name, d)| (name.to_string(), *d)).collect::<Vec<_>>();
    let up = lineage::walk(&ctx, &db, &run(&ctx, "model"), lineage::Direction::Up, 5).await.unwrap();
    assert_eq!(names(&up), [
        ("default/run/data".to_owned(), -2), ("default/run/model".to_owned(), 0), ("default/run/train".to_owned(), -1),
    ]);
    assert!(!up.is_truncated);
    let near = lineage::walk(&ctx, &db, &run(&ctx, "train"), lineage::Direction::Both, 1).await.unwrap();
    assert_eq!((near.nodes.len(), near.edges.len(), near.is_truncated), (3, 2, true));

    let elsewhere = Ctx { project: lathe_core::Project::parse("other").unwrap(), ..ctx.clone() };
    let hidden = lineage::walk(&elsewhere, &db, &run(&ctx, "model"), lineage::Direction::Both, 5).await.unwrap();
    assert_eq!(hidden.nodes.len(), 1);
});

store_test!([] async fn two_sealers_never_share_the_lease(db: Db) {
    let first = lathe_db::lease::acquire(&db, "job", "a", 1_000, 500).await.unwrap();
    assert_eq!(first, Some(1));
    assert_eq!(lathe_db::lease::acquire(&db, "job", "b", 1_200, 500).await.unwrap(), None);
    assert_eq!(lathe_db::lease::acquire(&db, "job", "a", 1_300, 500).await.unwrap(), Some(1));
    assert_eq!(lathe_db::lease::acquire(&db, "job", "b", 1_900, 500).await.unwrap(), Some(2));
});

store_test!([] async fn a_sealer_that_was_refused_does_not_ask_again_at_once(db: Db) {
    let clock = Clock::fixed(1_000);
    assert!(lathe_db::lease::acquire(&db, "sealer", "another", 1_000, 5_000).await.unwrap().is_some());
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(sealer::run(db.clone(), "this".to_owned(), clock.clone(), stopping));
    record_many(&db, 1).await;
    let is_sealed = async || {
        // Who waits wakes the sealer again and again.
        let _until = tokio::time::timeout(Duration::from_secs(1), sealer::await_sealed(&db)).await;
        !ledger::list(&ctx(), &db, &EventFilter::default(), None, 1).await.unwrap().items.is_empty()
    };
    assert!(!is_sealed().await);
    execute(&db, "DELETE FROM leases").await;
    assert!(!is_sealed().await, "its clock says that it has just asked");
    clock.advance_ms(500);
    assert!(is_sealed().await);
    stop.send(true).unwrap();
    running.await.unwrap();
});

store_test!([] async fn verifying_while_events_are_sealed_raises_no_false_alarm(db: Db) {
    let writing = {
        let db = db.clone();
        tokio::spawn(async move {
            for _ in 0..60 {
                record_many(&db, 1).await;
                seal(&db).await;
            }
        })
    };
    while !writing.is_finished() {
        assert_eq!(ledger::verify(&db).await.unwrap().first_broken, None);
    }
    writing.await.unwrap();
});
