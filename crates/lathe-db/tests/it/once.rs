use futures::FutureExt as _;
use lathe_core::{Clock, Code, Ctx, Error, Project, Result};
use lathe_db::{Db, once};
use lathe_testkit::{ctx, store_test};

async fn make(db: &Db, ctx: &Ctx, made: &'static str, works: Result<()>) -> Result<String> {
    let ctx = ctx.clone();
    db.write(move |tx| {
        async move {
            if let Some(made) = once::find_made(tx, &ctx).await? {
                return Ok(made);
            }
            once::note_made(tx, &ctx, made).await?;
            works.map(|()| made.to_owned())
        }
        .boxed()
    })
    .await
}

store_test!([] async fn a_change_is_made_once_under_its_name(db: Db) {
    let named = ctx().once("key");
    assert_eq!(once::look_up(&db, &named).await.unwrap(), None);
    let failed = make(&db, &named, "first", Err(Error::conflict("asked to fail"))).await.unwrap_err();
    assert_eq!((failed.code(), once::look_up(&db, &named).await.unwrap()), (Code::Conflict, None), "undone, it is not made");
    assert_eq!(make(&db, &named, "second", Ok(())).await.unwrap(), "second");
    assert_eq!(make(&db, &named, "third", Ok(())).await.unwrap(), "second");
    let elsewhere = Ctx { project: Project::parse("elsewhere").unwrap(), ..named.clone() };
    assert_eq!(make(&db, &elsewhere, "there", Ok(())).await.unwrap(), "there", "names belong to their project");
    for made in ["one", "two"] {
        assert_eq!(make(&db, &ctx(), made, Ok(())).await.unwrap(), made, "without a name, each is a change of its own");
    }
    assert_eq!(once::look_up(&db, &named).await.unwrap().as_deref(), Some("second"));
});

store_test!([] async fn what_was_made_long_ago_can_be_forgotten(db: Db) {
    let at = |ms: i64, key: &str| Ctx { clock: Clock::fixed(ms), ..ctx().once(key) };
    for (ms, key) in [(10, "a/1"), (20, "b/1"), (10, "c/1"), (10, "a/2")] {
        make(&db, &at(ms, key), "made", Ok(())).await.unwrap();
    }
    let elsewhere = Ctx { project: Project::parse("elsewhere").unwrap(), ..at(10, "a/1") };
    make(&db, &elsewhere, "made", Ok(())).await.unwrap();
    let mut listed: Vec<once::MadeName> = Vec::new();
    loop {
        let page = once::list_made(&db, 20, listed.last(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    let shown: Vec<_> = listed.iter().map(|name| (name.project.as_str(), name.key.as_str())).collect();
    assert_eq!(shown, [("default", "a/1"), ("default", "a/2"), ("default", "c/1"), ("elsewhere", "a/1")]);
    let first = listed[0].clone();
    db.write(move |tx| async move { once::forget_made(tx, &first).await }.boxed()).await.unwrap();
    assert_eq!(once::look_up(&db, &at(0, "a/1")).await.unwrap(), None);
    assert!(once::look_up(&db, &at(0, "a/2")).await.unwrap().is_some() && once::look_up(&db, &elsewhere).await.unwrap().is_some());
});

store_test!([] async fn of_those_that_make_a_change_at_once_one_is_stored(db: Db) {
    let named = ctx().once("key");
    let all = futures::future::join_all((0..16).map(|_| make(&db, &named, "made", Ok(())))).await;
    for result in all {
        // Who looked before the first was stored is refused and undone; who looks again finds it.
        match result {
            Ok(made) => assert_eq!(made, "made"),
            Err(error) => assert_eq!(error.code(), Code::AlreadyExists),
        }
    }
    assert_eq!(make(&db, &named, "again", Ok(())).await.unwrap(), "made");
});
