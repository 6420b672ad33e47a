use lathe_core::Code;
use lathe_data::changes::{Compared, ListChanges, list_changes, summarize_changes};
use lathe_data::commits::{CreateCommit, Log, commit, discard, get_commit, log};
use lathe_data::listing::{ListObjects, list_objects};
use lathe_data::merges::{FastForward, Merge, Revert, Strategy, merge, revert};
use lathe_data::objects::*;
use lathe_data::refs::*;
use lathe_data::repositories::*;
use lathe_testkit::store_test;

use crate::*;

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn each_role_may_do_its_part_and_no_more(db: Db) {
    let world = world(&db).await;
    let (data, images, main) = (&world.data, &world.images, &world.main);
    world.put("main", "a", "1").await;
    world.commit("main", "one").await;
    let refused = |result: Result<()>| result.is_err_and(|error| error.code() == Code::PermissionDenied);
    let head = || at("main");
    let page = PageRequest::default;
    let entry = head_object(&world.ctx, data, images, &head(), &path("a")).await.unwrap();
    for (rank, role) in Role::ALL.into_iter().enumerate() {
        let who = &as_role(role);
        let compared = Compared::Uncommitted(main.clone());
        let changes = ListChanges { compared: compared.clone(), prefix: String::new(), page_token: None, max_results: 9 };
        let source = CopySource { repository: images.clone(), revision: head(), path: path("a") };
        let create = CreateRepository::named(repository(&format!("by-{}", role.as_str())));
        let merging = Merge {
            source: head(), dest: main.clone(), message: None, strategy: Strategy::default(), fast_forward: FastForward::Allowed,
        };
        let reverting = Revert { branch: main.clone(), commit: head(), message: None, strategy: Strategy::default() };
        let committing = CreateCommit { message: "x".to_owned(), ..CreateCommit::default() };
        let missing = RefName::parse("missing").unwrap();
        let (branch, tag) = (name(&format!("b-{}", role.as_str())), name(&format!("t-{}", role.as_str())));
        let outcomes = [
            (0, get_repository(who, data, images).await.map(drop)),
            (0, list_repositories(who, data, page()).await.map(drop)),
            (0, list_branches(who, data, images, page()).await.map(drop)),
            (0, list_tags(who, data, images, page()).await.map(drop)),
            (0, get_ref(who, data, images, main).await.map(drop)),
            (0, resolve_ref(who, data, images, &head()).await.map(drop)),
            (0, get_commit(who, data, images, &head()).await.map(drop)),
            (0, log(who, data, images, Log { from: head(), page_token: None, max_results: 9 }).await.map(drop)),
            (0, list_changes(who, data, images, changes).await.map(drop)),
            (0, summarize_changes(who, data, images, &compared, "").await.map(drop)),
            (0, list_objects(who, data, images, &head(), ListObjects { max_keys: 9, ..ListObjects::default() }).await.map(drop)),
            (0, head_object(who, data, images, &head(), &path("a")).await.map(drop)),
            (0, get_object(who, data, images, &head(), &path("a"), None).await.map(drop)),
            (1, create_repository(who, data, create).await.map(drop)),
            (1, create_branch(who, data, images, branch, &head()).await.map(drop)),
            (1, create_tag(who, data, images, tag, &head()).await.map(drop)),
            (1, merge(who, data, images, merging).await.map(drop)),
            (1, revert(who, data, images, reverting).await.map(drop)),
            (1, put_object(who, data, images, main, &path("b"), PutObject::default(), bytes_of("b")).await.map(drop)),
            (1, copy_object(who, data, &source, images, main, &path("c"), CopyObject::default()).await.map(drop)),
            (1, copy_entry(who, data, entry.clone(), images, main, &path("d"), CopyObject::default()).await.map(drop)),
            (1, delete_object(who, data, images, main, &path("b"), Conditions::default()).await),
            (1, commit(who, data, images, main, committing).await.map(drop)),
            (3, delete_empty_repository(who, data, images).await),
            (2, discard(who, data, images, main, "").await.map(drop)),
            (2, delete_branch(who, data, images, &missing).await),
            (2, delete_tag(who, data, images, &missing).await),
            (3, delete_repository(who, data, &repository("missing")).await),
        ];
        for (place, (needed, outcome)) in outcomes.into_iter().enumerate() {
            assert_eq!(refused(outcome), rank < needed, "outcome {place} of {role:?}");
        }
    }
});
