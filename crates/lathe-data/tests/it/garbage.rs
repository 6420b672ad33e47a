use lathe_data::batches::{BatchFile, put_batch};
use lathe_data::garbage::collect;
use lathe_data::repositories::delete_repository;
use lathe_data::{ContentHash, refs};
use lathe_db::FutureExt as _;
use lathe_testkit::store_test;

use crate::*;

const HOUR_MS: i64 = 3_600 * 1_000;

impl World {
    async fn collect_nodes(&self) -> u64 {
        collect(&self.data, self.ctx.clock.now_ms() - HOUR_MS).await.unwrap()
    }

    /// What a server that has just started sees.
    fn without_cache(&self) -> Data {
        Data::new(self.db.clone(), self.objects.clone())
    }

    async fn run(&self, statement: &'static str) {
        self.db.write(move |tx| async move { tx.execute(query(statement)).await }.boxed()).await.unwrap();
    }

    async fn put_many(&self, count: usize, content: &str) {
        let files: Vec<BatchFile> = (0..count)
            .map(|number| {
                let bytes = Bytes::from(format!("{content} {number}"));
                let hash = ContentHash::of(&bytes);
                BatchFile { path: path(&format!("many/{number:06}")), content_type: String::new(), hash, bytes }
            })
            .collect();
        for chunk in files.chunks(5_000) {
            put_batch(&self.ctx, &self.data, &self.images, &self.main, chunk.to_vec()).await.unwrap();
        }
    }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn nodes_go_when_no_commit_reaches_them_and_nobody_wrote_them_lately(db: Db) {
    let world = world(&db).await;
    world.put_many(2_000, "first").await;
    let first = world.commit("main", "first").await;
    world.put("main", "many/000007", "second").await;
    world.commit("main", "second").await;
    let live = world.count("SELECT COUNT(*) FROM nodes").await;
    let other = repository("other");
    create_repository(&world.ctx, &world.data, CreateRepository::named(other.clone())).await.unwrap();
    let request = PutObject::default();
    put_object(&world.ctx, &world.data, &other, &world.main, &path("x"), request, bytes_of("x")).await.unwrap();
    let commit_of_other = CreateCommit { message: "x".to_owned(), ..CreateCommit::default() };
    commit(&world.ctx, &world.data, &other, &world.main, commit_of_other).await.unwrap();
    assert_eq!(world.count("SELECT COUNT(*) FROM nodes").await, live + 1);
    delete_repository(&world.ctx, &world.data, &other).await.unwrap();
    assert_eq!(world.collect_nodes().await, 0, "it was written lately");
    world.ctx.clock.advance_ms(2 * HOUR_MS);
    // By chance one may be taken for marked, and by another chance the next time.
    while world.count("SELECT COUNT(*) FROM nodes").await > live {
        world.collect_nodes().await;
    }
    assert_eq!(world.collect_nodes().await, 0);
    assert_eq!(world.count("SELECT COUNT(*) FROM nodes").await, live);
    let world = World { data: world.without_cache(), ..world };
    assert_eq!(world.all(first.id.as_str()).await.len(), 1_000 * 2);
    assert_eq!(world.read("main~1", "many/000007").await.as_deref(), Some("first 7"));
    assert_eq!(world.read("main", "many/000007").await.as_deref(), Some("second"));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn no_node_of_a_commit_goes_while_commits_are_made(db: Db) {
    let world = world(&db).await;
    world.put_many(1_000, "start").await;
    world.commit("main", "start").await;
    let commits = async {
        for round in 0..10 {
            // All that was written before is old: only the marks keep it.
            world.ctx.clock.advance_ms(2 * HOUR_MS);
            world.put("main", &format!("many/{:06}", round * 90), "changed").await;
            world.put("main", &format!("new/{round}"), "new").await;
            world.commit("main", "next").await;
            // And back to a state whose nodes were there once.
            refs::create_branch(&world.ctx, &world.data, &world.images, name(&format!("b{round}")), &at("main~1")).await.unwrap();
        }
    };
    let collections = async {
        for _ in 0..10 {
            world.collect_nodes().await;
        }
    };
    futures::join!(commits, collections);
    world.collect_nodes().await;
    let world = World { data: world.without_cache(), ..world };
    for back in 0..=10 {
        assert_eq!(world.all(&format!("main~{back}")).await.len(), 1_000 + 10 - back, "{back}");
    }
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn more_rows_than_one_transaction_deletes_are_committed_and_deleted(db: Db) {
    let world = world(&db).await;
    world.put_many(10_500, "first").await;
    let made = world.commit("main", "many").await;
    assert_eq!(made.paths, 10_500);
    assert_eq!(world.count("SELECT COUNT(*) FROM staged").await, 0);
    world.put_many(10_500, "first").await;
    assert_eq!(code(world.try_commit("main", "the same").await), lathe_core::Code::Conflict);
    assert_eq!(world.count("SELECT COUNT(*) FROM staged").await, 0);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn rows_that_a_commit_took_and_a_crash_left_are_never_read_again(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.put("main", "gone", &large("g")).await;
    world.run("CREATE TABLE kept AS SELECT * FROM staged").await;
    world.commit("main", "one").await;
    world.put("main", "a", "2").await;
    world.delete("main", "gone").await;
    world.commit("main", "two").await;
    // As if the first commit's rows had never been deleted, and its objects never been named.
    world.run("INSERT INTO staged SELECT * FROM kept").await;
    world.run("DELETE FROM data_objects").await;
    let uncommitted = lathe_data::changes::Compared::Uncommitted(world.main.clone());
    assert_eq!(world.read("main", "a").await.as_deref(), Some("2"));
    assert_eq!(world.read("main", "gone").await, None);
    assert_eq!(world.all("main").await, ["a"]);
    assert!(world.changes(uncommitted, "", 10).await.is_empty());
    assert_eq!(code(world.try_commit("main", "nothing").await), lathe_core::Code::Conflict);
    let discarded =
        lathe_data::commits::discard(&world.ctx, &world.data, &world.images, &world.main, "").await.unwrap();
    assert_eq!(discarded, 0);
    world.delete("main", "gone").await;
    world.put("main", "b", "3").await;
    assert_eq!(world.all("main").await, ["a", "b"]);
    collect(&world.data, 0).await.unwrap();
    assert_eq!(world.count("SELECT COUNT(*) FROM staged WHERE path <> 'b'").await, 0);
    assert_eq!(world.count("SELECT COUNT(*) FROM data_objects").await, 1, "history keeps what the rows named");
    world.run("INSERT INTO staged SELECT * FROM kept").await;
    world.commit("main", "three").await;
    assert_eq!(world.count("SELECT COUNT(*) FROM staged").await, 0, "the next commit deletes them");
    assert_eq!(world.all("main").await, ["a", "b"]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_branch_made_anew_has_nothing_of_the_old_one(db: Db) {
    let world = world(&db).await;
    world.branch("work", "main").await;
    world.put("work", "a", &large("a")).await;
    world.run("CREATE TABLE kept AS SELECT * FROM staged").await;
    world.commit("work", "one").await;
    world.run("INSERT INTO staged SELECT * FROM kept").await;
    world.run("DELETE FROM data_objects").await;
    refs::delete_branch(&world.ctx, &world.data, &world.images, &name("work")).await.unwrap();
    assert_eq!(world.count("SELECT COUNT(*) FROM data_objects").await, 1);
    world.branch("work", "main").await;
    assert!(world.all("work").await.is_empty());
});
