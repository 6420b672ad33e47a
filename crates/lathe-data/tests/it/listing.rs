use std::collections::{BTreeMap, BTreeSet};

use lathe_core::Code;
use lathe_data::listing::*;
use lathe_testkit::{TestDatabase, store_test};
use proptest::prelude::*;

use crate::*;

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn staged_and_committed_paths_are_one_list(db: Db) {
    let world = world(&db).await;
    for at in ["a/1", "a/2", "b", "c/1"] {
        world.put("main", at, at).await;
    }
    let first = world.commit("main", "first").await;
    world.put("main", "a/1", "changed").await;
    world.delete("main", "b").await;
    world.put("main", "d", "new").await;
    world.put("main", "a/", "").await;
    for max_keys in [1, 2, 3, 1_000] {
        assert_eq!(world.list("main", "", None, max_keys).await, ["a/", "a/1", "a/2", "c/1", "d"]);
        assert_eq!(world.list("main", "", Some("/"), max_keys).await, ["a/*", "c/*", "d"]);
        assert_eq!(world.list("main", "a/", Some("/"), max_keys).await, ["a/", "a/1", "a/2"]);
        assert_eq!(world.list(first.id.as_str(), "", None, max_keys).await, ["a/1", "a/2", "b", "c/1"]);
        assert_eq!(world.list("main", "nothing", None, max_keys).await, Vec::<String>::new());
    }
    world.delete("main", "c/1").await;
    assert_eq!(world.list("main", "", Some("/"), 1_000).await, ["a/*", "d"]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_list_starts_after_a_path_and_checks_its_arguments(db: Db) {
    let world = world(&db).await;
    for at in ["a", "b/1", "b/2", "c"] {
        world.put("main", at, at).await;
    }
    let list = async |start_after: &str, max_keys: usize, token: Option<&str>, from: &str| {
        let request = ListObjects {
            start_after: Some(start_after.to_owned()),
            delimiter: Some("/".to_owned()),
            max_keys,
            page_token: token.map(str::to_owned),
            ..ListObjects::default()
        };
        list_objects(&world.ctx, &world.data, &world.images, &at(from), request).await
    };
    let shown = |list: ObjectList| -> Vec<String> {
        list.items
            .into_iter()
            .map(|item| match item {
                Listed::Object { path, .. } => path.to_string(),
                Listed::Prefix(common) => common,
            })
            .collect()
    };
    assert_eq!(shown(list("a", 10, None, "main").await.unwrap()), ["b/", "c"]);
    // As in S3: a prefix is listed as long as a path of it comes after.
    assert_eq!(shown(list("b/1", 10, None, "main").await.unwrap()), ["b/", "c"]);
    assert_eq!(shown(list("b/2", 10, None, "main").await.unwrap()), ["c"]);
    assert_eq!(code(list("", 0, None, "main").await), Code::InvalidArgument);
    assert_eq!(code(list("", 1_001, None, "main").await), Code::InvalidArgument);
    assert_eq!(code(list("", 1, Some("what"), "main").await), Code::InvalidArgument);
    assert_eq!(code(list("", 1, None, "nope").await), Code::NotFound);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn thousands_of_staged_paths_are_read_in_pages(db: Db) {
    let world = world(&db).await;
    let puts = (0..2_300).map(|at| (format!("f/{at:05}"), at.to_string())).collect::<Vec<_>>();
    for (at, content) in &puts {
        world.put("main", at, content).await;
    }
    for at in puts.iter().map(|(at, _)| at).step_by(2) {
        world.delete("main", at).await;
    }
    let expected: Vec<String> = puts.iter().map(|(at, _)| at.clone()).skip(1).step_by(2).collect();
    assert_eq!(world.list("main", "", None, 700).await, expected);
    world.commit("main", "half").await;
    assert_eq!(world.list("main", "", None, 700).await, expected);
    assert_eq!(world.list("main", "", Some("/"), 700).await, ["f/*"]);
});

#[derive(Debug, Clone)]
enum Deed {
    Put(String),
    Delete(String),
    Commit,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let path = "[ab](/[ab]){0,2}/?";
    let deed = prop_oneof![
        6 => path.prop_map(Deed::Put),
        3 => path.prop_map(Deed::Delete),
        1 => Just(Deed::Commit),
    ];
    prop::collection::vec(deed, 0..40)
}

/// What S3 lists: paths with the prefix, those with the delimiter behind it by what they have in common.
fn expected(paths: &BTreeMap<String, String>, prefix: &str, delimiter: Option<&str>) -> Vec<String> {
    let lines: BTreeSet<String> = paths
        .keys()
        .filter_map(|path| {
            let rest = path.strip_prefix(prefix)?;
            match delimiter.and_then(|delimiter| rest.find(delimiter)) {
                Some(at) => Some(format!("{prefix}{}*", &rest[..=at])),
                None => Some(path.clone()),
            }
        })
        .collect();
    lines.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_branch_lists_as_a_plain_map_would(deeds in deeds(), prefix in "([ab]/?){0,2}", max_keys in 1..5_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let database = TestDatabase::sqlite(&SCHEMAS).await;
            let world = world(&database.db).await;
            let mut paths = BTreeMap::new();
            for deed in &deeds {
                match deed {
                    Deed::Put(at) => {
                        world.put("main", at, at).await;
                        paths.insert(at.clone(), at.clone());
                    }
                    Deed::Delete(at) => {
                        world.delete("main", at).await;
                        paths.remove(at);
                    }
                    Deed::Commit => {
                        let _ = world.try_commit("main", "some").await;
                    }
                }
            }
            for delimiter in [None, Some("/")] {
                assert_eq!(world.list("main", &prefix, delimiter, max_keys).await, expected(&paths, &prefix, delimiter));
            }
            for at in paths.keys() {
                assert_eq!(world.read("main", at).await.as_ref(), Some(at));
            }
            let _ = world.try_commit("main", "rest").await;
            assert_eq!(world.list("main", &prefix, Some("/"), max_keys).await, expected(&paths, &prefix, Some("/")));
            assert_eq!(world.count("SELECT COUNT(*) FROM staged").await, 0);
        });
    }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_page_may_end_on_the_longest_path(db: Db) {
    let world = world(&db).await;
    let longest = "p".repeat(1_024);
    for at in ["a", &longest, "z"] {
        world.put("main", at, "x").await;
    }
    assert_eq!(world.all("main").await, world.list("main", "", None, 1).await);
    let folder = format!("{}/", "f".repeat(1_021));
    world.put("main", &format!("{folder}x"), "x").await;
    assert_eq!(world.list("main", "f", Some("/"), 1).await, [format!("{folder}*")]);
});
