//! Secrets of jobs: set by few, read by none, kept encrypted.

use lathe_access::secrets::*;
use lathe_access::{Access, Mode, SCHEMA, ServerKey};
use lathe_core::{Clock, Code, Ctx, Result, Role};
use lathe_db::query;
use lathe_testkit::store_test;

use crate::world::{World, code, project};

const VALUE: &str = "hunter2-hunter2";

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn value(text: &str) -> SecretValue {
    SecretValue::new(text.to_owned()).unwrap()
}

async fn reveal(access: &Access, in_project: &str, names: &[&str]) -> Result<Vec<String>> {
    let names: Vec<SecretName> = names.iter().map(|text| name(text)).collect();
    let values = reveal_secrets(&Ctx::system("workflows", project(in_project)), access, &names).await?;
    Ok(values.into_values().map(|value| value.expose().to_owned()).collect())
}

async fn names_in(world: &World, project: &str) -> Vec<String> {
    let secrets = list_secrets(&world.admin_in(project), &world.access).await.unwrap();
    secrets.into_iter().map(|secret| secret.name.to_string()).collect()
}

store_test!([SCHEMA] async fn a_secret_is_its_project_s_and_the_server_s_alone(db: Db) {
    let world = World::start(db).await;
    world.make_project("fraud").await;
    let (admin, fraud) = (&world.admin, &world.admin_in("fraud"));
    set_secret(admin, &world.access, name("TOKEN"), value(VALUE)).await.unwrap();
    set_secret(admin, &world.access, name("ANOTHER"), value("another")).await.unwrap();
    set_secret(fraud, &world.access, name("TOKEN"), value("of fraud")).await.unwrap();
    set_secret(admin, &world.access, name("TOKEN"), value("new value")).await.unwrap();
    assert_eq!(reveal(&world.access, "default", &["TOKEN", "ANOTHER"]).await.unwrap(), ["another", "new value"]);
    assert_eq!(reveal(&world.access, "fraud", &["TOKEN"]).await.unwrap(), ["of fraud"]);
    assert_eq!(code(reveal(&world.access, "fraud", &["ANOTHER"]).await), Code::NotFound);
    assert_eq!((names_in(&world, "default").await, names_in(&world, "fraud").await), (
        vec!["ANOTHER".to_owned(), "TOKEN".to_owned()], vec!["TOKEN".to_owned()],
    ));
    // Not even an administrator reads one.
    assert_eq!(code(reveal_secrets(&world.acting("anna", Some(Role::Admin)), &world.access, &[name("TOKEN")]).await), Code::PermissionDenied);
    delete_secret(fraud, &world.access, name("TOKEN")).await.unwrap();
    assert_eq!(code(delete_secret(fraud, &world.access, name("TOKEN")).await), Code::NotFound);
    assert_eq!(reveal(&world.access, "default", &["TOKEN"]).await.unwrap(), ["new value"]);
    let actions = world.actions("default").await;
    assert_eq!(actions[actions.len() - 3..], ["secret.set default/secret/TOKEN", "secret.set default/secret/ANOTHER", "secret.set default/secret/TOKEN"]);
    assert_eq!(world.actions("fraud").await.last().unwrap(), "secret.deleted fraud/secret/TOKEN");
    for event in world.events("default").await {
        assert!(!event.detail.to_string().contains("value") && !event.detail.to_string().contains(VALUE), "{event:?}");
    }
});

store_test!([SCHEMA] async fn a_stored_secret_says_nothing_and_opens_nowhere_else(db: Db) {
    let world = World::start(db).await;
    world.make_project("fraud").await;
    set_secret(&world.admin, &world.access, name("TOKEN"), value(VALUE)).await.unwrap();
    let row = world.db.fetch_one(query("SELECT data_key, sealed FROM secrets")).await.unwrap();
    let (data_key, sealed): (Vec<u8>, Vec<u8>) = (row.get(0).unwrap(), row.get(1).unwrap());
    assert!(![data_key, sealed].iter().any(|bytes| bytes.windows(7).any(|window| window == b"hunter2")));
    let other = Access::new(world.db.clone(), Mode::Login, Clock::System, ServerKey::from_bytes([8; 32]));
    assert_eq!(code(reveal(&other, "default", &["TOKEN"]).await), Code::Unavailable);
    let moved = "UPDATE secrets SET project = 'fraud'";
    world.db.write(move |tx| Box::pin(async move { tx.execute(query(moved)).await.map(|_| ()) })).await.unwrap();
    assert_eq!(code(reveal(&world.access, "fraud", &["TOKEN"]).await), Code::Unavailable);
});

store_test!([SCHEMA] async fn maintainers_set_secrets_and_contributors_see_names(db: Db) {
    let world = World::start(db).await;
    for (role, may_set, may_list) in [
        (None, false, false), (Some(Role::Viewer), false, false), (Some(Role::Contributor), false, true), (Some(Role::Maintainer), true, true),
    ] {
        let ctx = world.acting("anna", role);
        assert_eq!(set_secret(&ctx, &world.access, name("A"), value(VALUE)).await.is_ok(), may_set, "{role:?}");
        assert_eq!(list_secrets(&ctx, &world.access).await.is_ok(), may_list, "{role:?}");
        assert_eq!(delete_secret(&ctx, &world.access, name("A")).await.is_ok(), may_set, "{role:?}");
    }
});

#[test]
fn names_and_values_have_bounds_and_values_are_not_printed() {
    for bad in ["", "1A", "A-B", "A B", "Ä", "A=B", &"A".repeat(64)] {
        assert_eq!(code(SecretName::parse(bad)), Code::InvalidArgument, "{bad}");
    }
    for bad in ["", "abc", "a\0bcd", &"x".repeat(MAX_VALUE_BYTES + 1)] {
        assert_eq!(code(SecretValue::new(bad.to_owned())), Code::InvalidArgument);
    }
    assert_eq!(format!("{:?}", value(VALUE)), "SecretValue(…)");
}
