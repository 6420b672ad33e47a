use lathe_core::Code;
use lathe_models::model_versions::*;
use lathe_models::registered_models::*;
use lathe_testkit::store_test;

use crate::*;

store_test!([SCHEMA] async fn each_role_may_do_its_part_and_no_more(db: Db) {
    let models = Models::new(db.clone());
    model(&models, "net", vec![]).await;
    version(&models, "net").await;
    let refused = |result: lathe_core::Result<()>| result.is_err_and(|error| error.code() == Code::PermissionDenied);
    for (rank, role) in Role::ALL.into_iter().enumerate() {
        let who = as_role(role);
        let name = || "net".to_owned();
        let create = CreateRegisteredModel { name: format!("by-{}", role.as_str()), ..CreateRegisteredModel::default() };
        let outcomes = [
            (0, get_registered_model(&who, &models, "net").await.map(|_| ())),
            (1, create_registered_model(&who, &models, create).await.map(|_| ())),
            (1, create_model_version(&who, &models, from_source("net", SOURCE)).await.map(|_| ())),
            (1, set_registered_model_tag(&who, &models, name(), tag("k", "v")).await),
            (2, set_registered_model_alias(&who, &models, name(), "champion".to_owned(), 1).await),
            (2, delete_registered_model_alias(&who, &models, name(), "champion".to_owned()).await),
            (2, transition_stage(&who, &models, "net", 1, "Staging", OthersInStage::Keep).await.map(|_| ())),
            (2, delete_model_version(&who, &models, name(), 99).await),
        ];
        for (place, (needed, outcome)) in outcomes.into_iter().enumerate() {
            assert_eq!(refused(outcome), rank < needed, "outcome {place} of {role:?}");
        }
    }
});
