use lathe_core::{Code, LoggedModelId};
use lathe_testkit::{ctx, store_test};
use lathe_tracking::inputs::*;
use lathe_tracking::logged_models::{CreateLoggedModel, create_logged_model};
use lathe_tracking::{ModelOutput, runs};

use crate::{SCHEMAS, actions, edges, error, run, tag, tracking};

fn dataset(name: &str, digest: &str) -> DatasetInput {
    let dataset = Dataset {
        name: name.to_owned(),
        digest: digest.to_owned(),
        source_type: "local".to_owned(),
        source: "{}".to_owned(),
        schema: Some("[]".to_owned()),
        profile: None,
    };
    DatasetInput { dataset, tags: vec![tag("mlflow.data.context", "training")] }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn inputs_and_outputs_are_kept_in_order_with_their_edges(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let made = create_logged_model(&ctx(), &tracking, CreateLoggedModel {
        source_run_id: Some(id.to_string()), ..CreateLoggedModel::default()
    }).await.unwrap().model_id;
    let read = create_logged_model(&ctx(), &tracking, CreateLoggedModel::default()).await.unwrap().model_id;
    let inputs = vec![dataset("b", "1"), dataset("a", "2"), dataset("b", "1")];
    log_inputs(&ctx(), &tracking, &id, inputs.clone(), vec![read.clone()]).await.unwrap();
    // A dataset that is known stays as it was noted first.
    let changed = DatasetInput { tags: vec![tag("mlflow.data.context", "eval")], ..dataset("a", "2") };
    log_inputs(&ctx(), &tracking, &id, vec![changed], Vec::new()).await.unwrap();
    let outputs = vec![ModelOutput { model_id: made.clone(), step: 3 }];
    log_outputs(&ctx(), &tracking, &id, outputs.clone()).await.unwrap();
    log_outputs(&ctx(), &tracking, &id, vec![ModelOutput { model_id: read.clone(), step: 0 }]).await.unwrap();

    let found = runs::get_run(&ctx(), &tracking, &id).await.unwrap();
    assert_eq!(found.dataset_inputs, inputs[..2]);
    assert_eq!(found.model_inputs, std::slice::from_ref(&read));
    assert_eq!(found.model_outputs, [outputs[0].clone(), ModelOutput { model_id: read.clone(), step: 0 }]);
    assert_eq!(edges(&db).await, [
        format!("run/{id} -logged-> logged-model/{made}"),
        format!("dataset/b@1 -read-> run/{id}"),
        format!("dataset/a@2 -read-> run/{id}"),
        format!("logged-model/{read} -read-> run/{id}"),
        format!("dataset/a@2 -read-> run/{id}"),
        format!("run/{id} -logged-> logged-model/{read}"),
    ]);
    assert_eq!(actions(&db).await[4..], [
        "run.inputs_logged", "run.inputs_logged", "run.outputs_logged", "run.outputs_logged",
    ]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn bad_inputs_store_nothing(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let unknown = LoggedModelId::generate();
    let both = log_inputs(&ctx(), &tracking, &id, vec![dataset("a", "1")], vec![unknown.clone()]).await;
    assert_eq!(error(both).code(), Code::NotFound);
    let output = ModelOutput { model_id: unknown, step: 0 };
    assert_eq!(error(log_outputs(&ctx(), &tracking, &id, vec![output]).await).code(), Code::NotFound);
    let long = error(log_inputs(&ctx(), &tracking, &id, vec![dataset(&"x".repeat(501), "1")], Vec::new()).await);
    assert_eq!(long.message(), "'name' exceeds the maximum length of 500 characters");
    let found = runs::get_run(&ctx(), &tracking, &id).await.unwrap();
    assert_eq!((found.dataset_inputs.len(), found.model_outputs.len()), (0, 0));
    runs::delete_run(&ctx(), &tracking, &id).await.unwrap();
    let deleted = error(log_inputs(&ctx(), &tracking, &id, vec![dataset("a", "1")], Vec::new()).await);
    assert_eq!(deleted.code(), Code::InvalidArgument);
});
