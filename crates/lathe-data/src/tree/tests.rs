//! Properties of the tree, on a real SQLite database.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream;
use lathe_testkit::TestDatabase;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::entry::Entry;
use crate::entry::tests::inline;

type Model = BTreeMap<String, String>;

struct Bench {
    runtime: Runtime,
    nodes: Nodes,
    empty: NodeHash,
    _database: TestDatabase,
}

fn bench() -> Bench {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = runtime.block_on(TestDatabase::sqlite(&[crate::SCHEMA]));
    let nodes = Nodes::new(database.db.clone());
    let empty = runtime.block_on(nodes.write_empty(0)).unwrap();
    Bench { runtime, nodes, empty, _database: database }
}

fn entry(text: &str) -> Entry {
    inline(text)
}

impl Bench {
    fn apply(&self, root: NodeHash, changes: &BTreeMap<String, Option<String>>) -> Applied {
        let changes: Vec<Change> =
            changes.iter().map(|(path, text)| (Arc::from(path.as_str()), text.as_deref().map(entry))).collect();
        self.runtime.block_on(apply(&self.nodes, 0, root, stream::iter(changes.into_iter().map(Ok)))).unwrap()
    }

    fn build(&self, model: &Model) -> NodeHash {
        let changes = model.iter().map(|(path, text)| (path.clone(), Some(text.clone()))).collect();
        self.apply(self.empty, &changes).root
    }

    fn read(&self, root: NodeHash) -> BTreeMap<String, Entry> {
        self.runtime.block_on(async {
            let mut cursor = Cursor::seek(&self.nodes, root, "").await.unwrap();
            let mut all = BTreeMap::new();
            while let Some((path, raw)) = cursor.peek() {
                all.insert(path.to_string(), raw.decode().unwrap());
                cursor.advance().await.unwrap();
            }
            all
        })
    }

    fn diff(&self, before: NodeHash, after: NodeHash) -> Vec<Difference> {
        self.runtime.block_on(async {
            let mut differ = Differ::start(&self.nodes, before, after, "").await.unwrap();
            let mut all = Vec::new();
            while let Some(difference) = differ.next().await.unwrap() {
                all.push(difference);
            }
            all
        })
    }

    fn merge(&self, base: NodeHash, ours: NodeHash, theirs: NodeHash) -> (NodeHash, Vec<String>) {
        self.runtime.block_on(async {
            let mut merger = Merger::start(&self.nodes, base, ours, theirs).await.unwrap();
            let (mut changes, mut conflicts) = (Vec::new(), Vec::new());
            while let Some(step) = merger.next().await.unwrap() {
                match step.clash {
                    None => changes.push(Ok((step.path, step.theirs))),
                    Some(_) => conflicts.push(step.path.to_string()),
                }
            }
            (apply(&self.nodes, 0, ours, stream::iter(changes)).await.unwrap().root, conflicts)
        })
    }

    fn height(&self, root: NodeHash) -> u8 {
        self.runtime.block_on(self.nodes.load(root)).unwrap().level
    }
}

/// A path of one of a few folders: edits then meet often enough.
fn path(at: u32) -> String {
    format!("f{}/{:05}.txt", at % 7, at)
}

fn model(size: u32, every: u32) -> Model {
    (0..size).filter(|at| at % every == 0).map(|at| (path(at), format!("text {at}"))).collect()
}

fn apply_to(model: &Model, changes: &BTreeMap<String, Option<String>>) -> Model {
    let mut changed = model.clone();
    for (path, text) in changes {
        match text {
            Some(text) => changed.insert(path.clone(), text.clone()),
            None => changed.remove(path),
        };
    }
    changed
}

fn edits(size: u32, most: usize) -> impl Strategy<Value = BTreeMap<String, Option<String>>> {
    let path = (0..size).prop_map(path);
    prop::collection::btree_map(path, prop::option::weighted(0.6, "[a-c]{1,3}"), 0..most)
}

/// Some edits remove a whole range, so that many nodes go at once.
fn edits_and_gaps(size: u32) -> impl Strategy<Value = BTreeMap<String, Option<String>>> {
    (edits(size, 40), prop::option::of((0..size, 0..size))).prop_map(|(mut edits, gap)| {
        if let Some((from, length)) = gap {
            edits.extend((from..from.saturating_add(length)).map(|at| (path(at), None)));
        }
        edits
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_edits_makes_the_tree_of_the_sorted_whole(
        size in 0..6_000_u32,
        batches in prop::collection::vec(edits_and_gaps(6_000), 1..5),
    ) {
        let bench = bench();
        let mut expected = model(size, 1);
        let mut root = bench.build(&expected);
        for changes in &batches {
            let applied = bench.apply(root, changes);
            expected = apply_to(&expected, changes);
            root = applied.root;
            prop_assert_eq!(applied.paths, expected.len() as u64);
            prop_assert_eq!(applied.bytes, expected.values().map(|text| text.len() as u64).sum::<u64>());
            prop_assert_eq!(root, bench.build(&expected));
        }
        let entries: BTreeMap<String, Entry> = expected.iter().map(|(path, text)| (path.clone(), entry(text))).collect();
        prop_assert_eq!(bench.read(root), entries);
    }

    #[test]
    fn a_difference_applied_makes_the_other_tree(
        size in 0..4_000_u32, changes in edits_and_gaps(4_000), more in edits(4_000, 20),
    ) {
        let bench = bench();
        let before = model(size, 1);
        let after = apply_to(&apply_to(&before, &changes), &more);
        let (before_root, after_root) = (bench.build(&before), bench.build(&after));
        let differences = bench.diff(before_root, after_root);
        let back = bench.diff(after_root, before_root);
        let inverse: Vec<_> = back.iter().cloned().map(|Difference { path, before, after }| Difference { path, before: after, after: before }).collect();
        prop_assert_eq!(&inverse, &differences);
        let changed = before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path));
        let changed: std::collections::BTreeSet<&str> = changed.map(String::as_str).collect();
        prop_assert!(differences.iter().map(|difference| &*difference.path).eq(changed));
        let changes = differences.into_iter().map(|difference| Ok((difference.path, difference.after)));
        let applied = bench.runtime.block_on(apply(&bench.nodes, 0, before_root, stream::iter(changes.collect::<Vec<_>>()))).unwrap();
        prop_assert_eq!(applied.root, after_root);
    }

    #[test]
    fn merging_takes_both_sides_and_lists_what_clashes(
        size in 0..1_500_u32, ours in edits(1_500, 60), theirs in edits(1_500, 60),
    ) {
        let bench = bench();
        let base = model(size, 1);
        let (our_model, their_model) = (apply_to(&base, &ours), apply_to(&base, &theirs));
        let roots = [&base, &our_model, &their_model].map(|model| bench.build(model));
        let (merged, conflicts) = bench.merge(roots[0], roots[1], roots[2]);
        let mut expected = our_model.clone();
        let mut expected_conflicts = Vec::new();
        let paths: std::collections::BTreeSet<&String> = base.keys().chain(our_model.keys()).chain(their_model.keys()).collect();
        for path in paths {
            let [base, ours, theirs] = [&base, &our_model, &their_model].map(|model| model.get(path));
            if theirs == base || theirs == ours {
                continue;
            }
            if ours != base {
                expected_conflicts.push(path.clone());
                continue;
            }
            match theirs {
                Some(text) => expected.insert(path.clone(), text.clone()),
                None => expected.remove(path),
            };
        }
        prop_assert_eq!(conflicts, expected_conflicts);
        prop_assert_eq!(merged, bench.build(&expected));
        // The same change on both sides is no conflict, and merging what is merged changes nothing.
        prop_assert_eq!(bench.merge(roots[0], roots[1], roots[1]), (roots[1], Vec::new()));
        prop_assert_eq!(bench.merge(roots[0], roots[0], roots[2]), (roots[2], Vec::new()));
    }
}

#[test]
fn one_changed_path_of_many_touches_a_node_of_each_level() {
    let bench = bench();
    let whole = model(20_000, 1);
    let root = bench.build(&whole);
    assert!((3..=5).contains(&bench.height(root)), "{}", bench.height(root));
    let stored = |bench: &Bench| -> i64 {
        let count = lathe_db::query("SELECT COUNT(*) FROM nodes");
        bench.runtime.block_on(bench._database.db.fetch_one(count)).unwrap().get(0).unwrap()
    };
    let before = stored(&bench);
    let changed = bench.apply(root, &BTreeMap::from([(path(777), Some("other".to_owned()))]));
    assert_eq!(stored(&bench) - before, i64::from(bench.height(root)) + 1);
    assert_eq!(changed.tally, apply::Tally { changed: 1, ..apply::Tally::default() });
}

#[test]
fn a_tree_that_loses_everything_is_the_empty_one() {
    let bench = bench();
    let whole = model(3_000, 1);
    let root = bench.build(&whole);
    let applied = bench.apply(root, &whole.keys().map(|path| (path.clone(), None)).collect());
    assert_eq!((applied.root, applied.paths, applied.bytes, applied.tally.removed), (bench.empty, 0, 0, 3_000));
    let nothing = bench.apply(bench.empty, &BTreeMap::from([("absent".to_owned(), None)]));
    assert_eq!((nothing.root, nothing.tally.is_nothing()), (bench.empty, true));
}

#[test]
fn a_cursor_finds_the_first_path_that_is_not_less() {
    let bench = bench();
    let whole = model(3_000, 3);
    let root = bench.build(&whole);
    for from in ["", "f0/", "f3/01000.txt", "f3/9", "f6/02997.txt", "g"] {
        let cursor = bench.runtime.block_on(Cursor::seek(&bench.nodes, root, from)).unwrap();
        let expected = whole.range(from.to_owned()..).next().map(|(path, _)| path.as_str());
        assert_eq!(cursor.peek().map(|(path, _)| &**path), expected, "{from}");
    }
}

#[test]
fn a_missing_or_damaged_node_is_an_error_that_names_it() {
    let bench = bench();
    let missing = NodeHash([7; 32]);
    let error = bench.runtime.block_on(bench.nodes.load(missing)).unwrap_err();
    assert!(error.log_line().contains(&missing.to_string()), "{error:?}");
    let statement = lathe_db::query("UPDATE nodes SET bytes = $1").bind(vec![0_u8; 8]);
    let db = bench._database.db.clone();
    let damage = db.write(move |tx| lathe_db::FutureExt::boxed(async move { tx.execute(statement).await }));
    bench.runtime.block_on(damage).unwrap();
    let fresh = Nodes::new(db.clone());
    let error = bench.runtime.block_on(fresh.load(bench.empty)).unwrap_err();
    assert!(error.log_line().contains("other bytes"), "{error:?}");
}
