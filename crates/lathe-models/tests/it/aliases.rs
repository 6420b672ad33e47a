use lathe_core::Code;
use lathe_models::model_versions::{delete_model_version, get_model_version};
use lathe_models::registered_models::*;
use lathe_testkit::store_test;
use proptest::prelude::*;

use crate::*;

async fn champion(models: &Models) -> Option<i64> {
    get_version_by_alias(&ctx(), models, "net", "champion").await.ok().map(|version| version.version)
}

async fn set(models: &Models, alias: &str, version: i64) -> lathe_core::Result<()> {
    set_registered_model_alias(&ctx(), models, "net".to_owned(), alias.to_owned(), version).await
}

store_test!([SCHEMA] async fn an_alias_names_one_version_and_moves(db: Db) {
    let models = Models::new(db.clone());
    model(&models, "net", vec![]).await;
    version(&models, "net").await;
    version(&models, "net").await;
    set(&models, "champion", 1).await.unwrap();
    set(&models, "champion", 2).await.unwrap();
    assert_eq!(champion(&models).await, Some(2));
    assert!(get_model_version(&ctx(), &models, "net", 1).await.unwrap().aliases.is_empty());
    assert_eq!(get_registered_model(&ctx(), &models, "net").await.unwrap().aliases, [
        Alias { alias: "champion".to_owned(), version: 2 },
    ]);
    assert_eq!(set(&models, "champion", 9).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(champion(&models).await, Some(2), "a refused move changes nothing");
    // A version takes its aliases with it; removing one that is gone is fine.
    delete_model_version(&ctx(), &models, "net".to_owned(), 2).await.unwrap();
    assert_eq!(champion(&models).await, None);
    delete_registered_model_alias(&ctx(), &models, "net".to_owned(), "champion".to_owned()).await.unwrap();
});

store_test!([SCHEMA] async fn names_that_mean_something_else_are_no_aliases(db: Db) {
    let models = Models::new(db.clone());
    model(&models, "net", vec![]).await;
    version(&models, "net").await;
    for alias in ["", "latest", "LATEST", "v1", "V22", "a b", "a/b", "größe", "a\0"] {
        assert_eq!(set(&models, alias, 1).await.unwrap_err().code(), Code::InvalidArgument, "{alias:?}");
    }
    for alias in ["champion", "v1a", "prod-eu_1"] {
        set(&models, alias, 1).await.unwrap();
    }
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever is set, moved and removed: every alias names the version it was set to last.
    #[test]
    fn aliases_are_where_they_were_put_last(moves in prop::collection::vec((0..3_usize, 0..4_i64), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let database = lathe_testkit::TestDatabase::sqlite(&[SCHEMA]).await;
            let models = Models::new(database.db.clone());
            model(&models, "net", vec![]).await;
            for _ in 0..3 {
                version(&models, "net").await;
            }
            let names = ["a", "b", "c"];
            let mut expected = std::collections::BTreeMap::new();
            for (place, number) in moves {
                let alias = names[place].to_owned();
                if number == 0 {
                    delete_registered_model_alias(&ctx(), &models, "net".to_owned(), alias.clone()).await.unwrap();
                    expected.remove(&alias);
                } else {
                    set(&models, &alias, number).await.unwrap();
                    expected.insert(alias, number);
                }
            }
            let aliases = get_registered_model(&ctx(), &models, "net").await.unwrap().aliases;
            let found: std::collections::BTreeMap<_, _> = aliases.into_iter().map(|alias| (alias.alias, alias.version)).collect();
            assert_eq!(found, expected);
        });
    }
}
