use lathe_core::Code;
use lathe_models::model_versions::{SearchModelVersions, search_model_versions};
use lathe_models::registered_models::*;
use lathe_testkit::store_test;

use crate::*;

fn models_where(filter: &str) -> SearchRegisteredModels {
    SearchRegisteredModels { filter: Some(filter.to_owned()), max_results: 100, ..SearchRegisteredModels::default() }
}

async fn names(models: &Models, request: SearchRegisteredModels) -> Vec<String> {
    let page = search_registered_models(&ctx(), models, request).await.unwrap();
    page.items.into_iter().map(|model| model.name).collect()
}

store_test!([SCHEMA] async fn models_are_found_by_name_and_tag_in_pages(db: Db) {
    let models = Models::new(db.clone());
    for number in 0..5 {
        model(&models, &format!("Net-{number}"), vec![tag("odd", &(number % 2).to_string())]).await;
    }
    assert_eq!(names(&models, models_where("name = 'Net-2'")).await, ["Net-2"]);
    assert!(names(&models, models_where("name LIKE 'net%'")).await.is_empty());
    assert_eq!(names(&models, models_where("name ILIKE 'net%'")).await.len(), 5);
    assert_eq!(names(&models, models_where("tags.odd = '1' AND name != 'Net-1'")).await, ["Net-3"]);
    let mut found = Vec::new();
    let mut page_token = None;
    loop {
        let request = SearchRegisteredModels { max_results: 2, page_token, ..models_where("tags.odd != 'x'") };
        let page = search_registered_models(&ctx(), &models, request).await.unwrap();
        assert!(page.items.len() <= 2);
        found.extend(page.items.into_iter().map(|model| model.name));
        let Some(next) = page.next else { break };
        page_token = Some(next.encode());
    }
    assert_eq!(found, ["Net-0", "Net-1", "Net-2", "Net-3", "Net-4"]);
    assert!(search_registered_models(&elsewhere(), &models, models_where("")).await.unwrap().items.is_empty());
});

store_test!([SCHEMA] async fn prompts_are_found_only_when_asked_for(db: Db) {
    let models = Models::new(db.clone());
    model(&models, "model", vec![]).await;
    model(&models, "prompt", vec![tag("mlflow.prompt.is_prompt", "true")]).await;
    for filter in ["", "tags.`mlflow.prompt.is_prompt` != 'true'", "tags.`mlflow.prompt.is_prompt` = 'false'"] {
        assert_eq!(names(&models, models_where(filter)).await, ["model"], "{filter}");
    }
    assert_eq!(names(&models, models_where("tags.`mlflow.prompt.is_prompt` = 'true'")).await, ["prompt"]);
});

store_test!([SCHEMA] async fn versions_are_found_newest_first_as_asked(db: Db) {
    let models = Models::new(db.clone());
    for name in ["a", "b"] {
        model(&models, name, vec![]).await;
        version(&models, name).await;
        version(&models, name).await;
    }
    let search = async |filter: &str, order_by: &[&str]| {
        let request = SearchModelVersions {
            filter: Some(filter.to_owned()),
            order_by: order_by.iter().map(|text| (*text).to_owned()).collect(),
            max_results: 100,
            page_token: None,
        };
        let page = search_model_versions(&ctx(), &models, request).await?;
        Ok::<_, lathe_core::Error>(page.items.iter().map(|version| format!("{}/{}", version.name, version.version)).collect::<Vec<_>>())
    };
    assert_eq!(search("name = 'a'", &["version_number DESC"]).await.unwrap(), ["a/2", "a/1"]);
    assert_eq!(search("version_number >= 2", &["name ASC"]).await.unwrap(), ["a/2", "b/2"]);
    assert_eq!(search("bogus = 'x'", &[]).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(search("name = 'a'", &["bogus"]).await.unwrap_err().code(), Code::InvalidArgument);
});
