use lathe_core::Code;
use lathe_data::commits::{Log, log};
use lathe_data::merges::*;
use lathe_testkit::store_test;

use crate::*;

fn of(source: &str, dest: &str) -> Merge {
    Merge {
        source: at(source),
        dest: name(dest),
        message: None,
        strategy: Strategy::default(),
        fast_forward: FastForward::Allowed,
    }
}

async fn merged(world: &World, request: Merge) -> Merged {
    world.ctx.clock.advance_ms(1);
    merge(&world.ctx, &world.data, &world.images, request).await.unwrap()
}

fn reverting(commit: &str) -> Revert {
    Revert { branch: name("main"), commit: at(commit), message: None, strategy: Strategy::default() }
}

/// `main` and `side` both changed a common state.
async fn parted(db: &Db) -> World {
    let world = world(db).await;
    for at in ["same", "ours", "theirs", "both", "gone"] {
        world.put("main", at, "base").await;
    }
    world.commit("main", "base").await;
    world.branch("side", "main").await;
    world.put("main", "ours", "ours").await;
    world.put("main", "alike", "alike").await;
    world.commit("main", "ours").await;
    world.put("side", "theirs", "theirs").await;
    world.put("side", "alike", "alike").await;
    world.put("side", "new", "theirs").await;
    world.delete("side", "gone").await;
    world.commit("side", "theirs").await;
    world
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_branch_that_is_behind_moves(db: Db) {
    let world = world(&db).await;
    world.branch("side", "main").await;
    world.put("side", "a", "1").await;
    let made = world.commit("side", "one").await;
    let Merged::UpToDate(_) = merged(&world, of("main", "side")).await else { panic!("side has all of main") };
    let Merged::FastForward(moved) = merged(&world, of("side", "main")).await else { panic!("main is behind") };
    assert_eq!(moved, made);
    assert_eq!(world.read("main", "a").await.as_deref(), Some("1"));
    let Merged::UpToDate(_) = merged(&world, of("side", "main")).await else { panic!("merged already") };
    world.put("side", "b", "2").await;
    world.commit("side", "two").await;
    let never = Merge { fast_forward: FastForward::Never, message: Some("Take it".to_owned()), ..of("side", "main") };
    let Merged::Committed(commit) = merged(&world, never).await else { panic!("a commit was asked for") };
    assert_eq!((commit.parents.len(), commit.message.as_str()), (2, "Take it"));
    assert_eq!(world.actions().await.iter().filter(|action| *action == "data.merged").count(), 2);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn parted_branches_are_joined_path_by_path(db: Db) {
    let world = parted(&db).await;
    let only = Merge { fast_forward: FastForward::Only, ..of("side", "main") };
    assert_eq!(code(merge(&world.ctx, &world.data, &world.images, only).await), Code::Conflict);
    let Merged::Committed(commit) = merged(&world, of("side", "main")).await else { panic!("no conflict") };
    assert_eq!(commit.message, "Merge side into main");
    assert_eq!(world.all("main").await, ["alike", "both", "new", "ours", "same", "theirs"]);
    for (at, content) in [("ours", "ours"), ("theirs", "theirs"), ("new", "theirs"), ("both", "base")] {
        assert_eq!(world.read("main", at).await.as_deref(), Some(content));
    }
    let kinds: Vec<String> = world.edges().await.into_iter().filter(|(_, to, _)| to == commit.id.as_str()).map(|(_, _, kind)| kind).collect();
    assert_eq!(kinds, ["committed", "merged"]);
    // The whole history is there, each commit once.
    let page = Log { from: at("main"), page_token: None, max_results: 2 };
    let first = log(&world.ctx, &world.data, &world.images, page).await.unwrap();
    let rest = Log { from: at("main"), page_token: first.next_page_token.clone(), max_results: 100 };
    let rest = log(&world.ctx, &world.data, &world.images, rest).await.unwrap();
    let messages: Vec<&str> = first.commits.iter().chain(&rest.commits).map(|commit| commit.message.as_str()).collect();
    assert_eq!(messages[0], "Merge side into main");
    assert_eq!(messages[3..], ["base", "Repository created"]);
    assert_eq!(messages.len(), 5);
    let Merged::UpToDate(_) = merged(&world, of("side", "main")).await else { panic!("merged already") };
    let Merged::FastForward(_) = merged(&world, of("main", "side")).await else { panic!("side is behind") };
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn conflicts_are_listed_and_nothing_moves_until_somebody_decides(db: Db) {
    let world = parted(&db).await;
    world.put("main", "both", "ours").await;
    world.put("main", "gone", "changed").await;
    let before = world.commit("main", "more").await;
    world.put("side", "both", "theirs").await;
    world.commit("side", "more").await;
    let Merged::Conflicts { conflicts, count } = merged(&world, of("side", "main")).await else { panic!("two conflicts") };
    let shown: Vec<_> = conflicts
        .iter()
        .map(|conflict| (conflict.path.as_str(), conflict.source.is_some(), conflict.dest.is_some()))
        .collect();
    assert_eq!((shown, count), (vec![("both", true, true), ("gone", false, true)], 2));
    assert_eq!(lathe_data::refs::resolve_ref(&world.ctx, &world.data, &world.images, &at("main")).await.unwrap(), before);
    // One decided, one not.
    let partly = Strategy::new([("bo*", Side::Source)], None).unwrap();
    let Merged::Conflicts { count, .. } = merged(&world, Merge { strategy: partly, ..of("side", "main") }).await else {
        panic!("one conflict is left")
    };
    assert_eq!(count, 1);
    let strategy = Strategy::new([("bo*", Side::Source)], Some(Side::Dest)).unwrap();
    let Merged::Committed(_) = merged(&world, Merge { strategy, ..of("side", "main") }).await else { panic!("decided") };
    assert_eq!(world.read("main", "both").await.as_deref(), Some("theirs"));
    assert_eq!(world.read("main", "gone").await.as_deref(), Some("changed"));
    assert_eq!(world.read("main", "theirs").await.as_deref(), Some("theirs"));
    assert_eq!(Strategy::new([("a[", Side::Dest)], None).unwrap_err().code(), Code::InvalidArgument);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_merge_keeps_off_uncommitted_changes(db: Db) {
    let world = parted(&db).await;
    world.put("main", "draft", "x").await;
    let refused = merge(&world.ctx, &world.data, &world.images, of("side", "main")).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Conflict, "`main` has uncommitted changes"));
    let refused = revert(&world.ctx, &world.data, &world.images, reverting("main")).await;
    assert_eq!(code(refused), Code::Conflict);
    // What is staged on the source is not merged, and is no hindrance.
    world.commit("main", "draft").await;
    world.put("side", "draft2", "x").await;
    let Merged::Committed(_) = merged(&world, of("side", "main")).await else { panic!("no conflict") };
    assert_eq!(world.read("main", "draft2").await, None);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_commit_can_be_taken_back(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.put("main", "b", "1").await;
    world.commit("main", "one").await;
    world.put("main", "a", "2").await;
    world.put("main", "c", "2").await;
    world.delete("main", "b").await;
    let two = world.commit("main", "two").await;
    world.put("main", "d", "3").await;
    world.commit("main", "three").await;
    world.ctx.clock.advance_ms(1);
    let back = revert(&world.ctx, &world.data, &world.images, reverting(two.id.as_str())).await.unwrap();
    let Merged::Committed(back) = back else { panic!("nothing clashes") };
    assert_eq!(back.message, format!("Revert {}\n\ntwo", two.id.short()));
    assert_eq!(world.all("main").await, ["a", "b", "d"]);
    assert_eq!(world.read("main", "a").await.as_deref(), Some("1"));
    let again = revert(&world.ctx, &world.data, &world.images, reverting(two.id.as_str())).await.unwrap();
    let Merged::UpToDate(_) = again else { panic!("it is taken back already") };
    world.put("main", "a", "4").await;
    world.commit("main", "four").await;
    let three = revert(&world.ctx, &world.data, &world.images, reverting("main~2")).await.unwrap();
    let Merged::Committed(_) = three else { panic!("only `d` is taken back") };
    assert_eq!(world.all("main").await, ["a", "b"]);
    let clash = revert(&world.ctx, &world.data, &world.images, reverting(two.id.as_str())).await.unwrap();
    let Merged::Conflicts { count: 1, .. } = clash else { panic!("`a` was changed since: {clash:?}") };
    let first = revert(&world.ctx, &world.data, &world.images, reverting("main~6")).await;
    assert_eq!(code(first), Code::InvalidArgument);
    assert!(world.actions().await.contains(&"data.reverted".to_owned()));
});
