use lathe_core::Code;
use lathe_data::changes::Compared;
use lathe_db::FutureExt as _;
use lathe_testkit::store_test;

use crate::*;

/// What is left of a commit that was interrupted after it closed the staging area.
async fn seal(world: &World) {
    let seal = query("UPDATE refs SET generation = generation + 1 WHERE name = 'main'");
    world.db.write(move |tx| async move { tx.execute(seal).await }.boxed()).await.unwrap();
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn an_interrupted_commit_loses_nothing_and_the_next_one_finishes_it(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.put("main", "b", "1").await;
    seal(&world).await;
    assert_eq!(world.all("main").await, ["a", "b"]);
    world.put("main", "a", "2").await;
    world.delete("main", "b").await;
    world.put("main", "c", "2").await;
    assert_eq!(world.all("main").await, ["a", "c"]);
    assert_eq!(world.read("main", "a").await.as_deref(), Some("2"));
    assert_eq!(world.read("main", "b").await, None);
    let uncommitted = Compared::Uncommitted(world.main.clone());
    assert_eq!(world.changes(uncommitted.clone(), "", 1).await, ["added a", "added c"]);
    seal(&world).await;
    let made = world.commit("main", "all of it").await;
    assert_eq!(made.paths, 2);
    assert_eq!(world.all("main").await, ["a", "c"]);
    assert_eq!(world.read("main", "a").await.as_deref(), Some("2"));
    assert!(world.changes(uncommitted, "", 1).await.is_empty());
    assert_eq!(world.count("SELECT COUNT(*) FROM staged").await, 0);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_is_staged_while_a_commit_runs_is_in_it_or_in_the_next(db: Db) {
    let world = world(&db).await;
    for round in 0..4 {
        let paths: Vec<String> = (0..20).map(|at| format!("{round}/{at:02}")).collect();
        world.put("main", &format!("{round}/seed"), "s").await;
        let puts = futures::future::join_all(paths.iter().map(|at| world.put("main", at, at)));
        let (committed, _) = futures::join!(world.try_commit("main", "meanwhile"), puts);
        committed.unwrap();
        for at in &paths {
            assert_eq!(world.read("main", at).await.as_ref(), Some(at));
        }
    }
    match world.try_commit("main", "rest").await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.code(), Code::Conflict),
    }
    let head = lathe_data::commits::get_commit(&world.ctx, &world.data, &world.images, &at("main")).await.unwrap();
    assert_eq!(head.paths, 4 * 21);
    assert_eq!(world.count("SELECT COUNT(*) FROM staged").await, 0);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn commits_at_the_same_time_lose_nothing(db: Db) {
    let world = world(&db).await;
    for at in 0..10 {
        world.put("main", &format!("{at}"), "x").await;
    }
    let outcomes = futures::future::join_all((0..5).map(|_| world.try_commit("main", "race"))).await;
    assert!(outcomes.iter().any(Result::is_ok));
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(error.code(), Code::Conflict, "{error:?}");
    }
    let head = lathe_data::commits::get_commit(&world.ctx, &world.data, &world.images, &at("main")).await.unwrap();
    assert_eq!((head.paths, head.height), (10, 1));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_reader_never_misses_a_path_while_commits_move_it(db: Db) {
    let world = world(&db).await;
    world.put("main", "always", "0").await;
    world.commit("main", "start").await;
    let writes = async {
        for round in 1..15 {
            world.put("main", "always", &round.to_string()).await;
            world.commit("main", "next").await;
        }
    };
    let reads = async {
        let mut last = 0;
        while last < 14 {
            let seen: i32 = world.read("main", "always").await.expect("it is always there").parse().unwrap();
            assert!(seen >= last, "{seen} after {last}");
            assert_eq!(world.all("main").await, ["always"]);
            last = seen;
        }
    };
    futures::join!(writes, reads);
});
