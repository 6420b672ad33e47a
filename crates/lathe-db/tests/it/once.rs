use futures::FutureExt as _;
use lathe_core::{Code, Ctx, Error, Project, Result};
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
