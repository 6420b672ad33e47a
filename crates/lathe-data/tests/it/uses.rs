use lathe_core::{Actor, RunId};
use lathe_data::batch_reads::read_batch;
use lathe_data::commits::{Log, discard, get_commit, log};
use lathe_data::merges::{FastForward, Merge, Merged, Revert, Strategy, merge, revert};
use lathe_data::refs::create_tag;
use lathe_data::uses::{Write, flush, list_reads, list_writes, reproduce};
use lathe_testkit::store_test;

use crate::*;

fn run(digit: &str) -> RunId {
    RunId::parse(&digit.repeat(32)).unwrap()
}

impl World {
    /// The same stores, used by a run.
    async fn by_run<T>(&self, run_id: &RunId, work: impl AsyncFnOnce(&Ctx) -> T) -> T {
        work(&Ctx { actor: Actor::run(run_id.as_str()), ..self.ctx.clone() }).await
    }

    async fn read_by(&self, run_id: &RunId, from: &str, at_path: &str) -> String {
        let found = self
            .by_run(run_id, async |ctx| {
                get_object(ctx, &self.data, &self.images, &at(from), &path(at_path), None).await
            })
            .await;
        let chunks: Vec<_> = found.unwrap().stream.collect().await;
        String::from_utf8(chunks.into_iter().flat_map(|chunk| chunk.unwrap().to_vec()).collect()).unwrap()
    }

    async fn put_by(&self, run_id: &RunId, at_path: &str, content: &str) {
        self.put_on_by(run_id, "main", at_path, content).await;
    }

    async fn put_on_by(&self, run_id: &RunId, branch: &str, at_path: &str, content: &str) {
        self.by_run(run_id, async |ctx| {
            let (branch, request) = (name(branch), PutObject::default());
            put_object(ctx, &self.data, &self.images, &branch, &path(at_path), request, bytes_of(content)).await
        })
        .await
        .unwrap();
    }

    /// Edges of this kind, with the first digits of runs.
    async fn edges_of(&self, kind: &str) -> Vec<(String, String)> {
        let short = |name: String| name.rsplit('/').next().map(|end| end[..end.len().min(12)].to_owned()).unwrap();
        let edges = self.edges().await.into_iter().filter(|(_, _, found)| found == kind);
        edges.map(|(from, to, _)| (short(from), short(to))).collect()
    }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_run_reads_one_commit_of_a_branch_however_often_it_reads(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.put("main", "b", "1").await;
    let first = world.commit("main", "one").await;
    assert_eq!(world.read_by(&run("1"), "main", "a").await, "1");
    world.put("main", "a", "2").await;
    assert_eq!(world.read_by(&run("1"), "main", "a").await, "1", "what is staged is not its own");
    let second = world.commit("main", "two").await;
    assert_eq!(world.read_by(&run("1"), "main", "a").await, "1");
    assert_eq!(world.read_by(&run("1"), "main", "b").await, "1");
    assert_eq!(world.read_by(&run("2"), "main", "a").await, "2");
    assert_eq!(world.read_by(&run("1"), second.id.as_str(), "a").await, "2", "a commit is what it is");
    let short = |commit: &Commit| commit.id.as_str()[..12].to_owned();
    let digits = |digit: &str| digit.repeat(12);
    let expected = [(short(&first), digits("1")), (short(&second), digits("2")), (short(&second), digits("1"))];
    assert_eq!(world.edges_of("read").await, expected);
    let reads = list_reads(&world.ctx, &world.data, &run("1")).await.unwrap();
    let of = |commit: &Commit| reads.iter().find(|read| read.commit_id == commit.id).unwrap().paths.clone();
    assert_eq!((reads.len(), of(&first), of(&second)), (2, vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned()]));
    assert!(list_reads(&elsewhere(), &world.data, &run("1")).await.unwrap().is_empty());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_run_that_writes_follows_its_branch_and_its_commit_says_so(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.commit("main", "one").await;
    assert_eq!(world.read_by(&run("1"), "main", "a").await, "1");
    world.put_by(&run("1"), "a", "2").await;
    world.put_by(&run("1"), "b", "2").await;
    world.put_by(&run("2"), "c", "2").await;
    assert_eq!(world.read_by(&run("1"), "main", "a").await, "2", "it reads what it wrote");
    let made = world.commit("main", "by runs").await;
    let commit_digits = made.id.as_str()[..12].to_owned();
    let wrote = |digit: &str| (digit.repeat(12), commit_digits.clone());
    assert_eq!(world.edges_of("wrote").await, [wrote("1"), wrote("2")]);
    world.put("main", "a", "3").await;
    world.commit("main", "by a person").await;
    assert_eq!(world.edges_of("wrote").await.len(), 2);
    assert_eq!(world.read_by(&run("1"), "main", "a").await, "3");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_a_run_wrote_is_told_until_a_commit_takes_it(db: Db) {
    let world = world(&db).await;
    world.put_by(&run("1"), "b", "1").await;
    world.put_by(&run("1"), "a", "1").await;
    world.put_by(&run("2"), "c", "1").await;
    let writes = async |digit: &str| list_writes(&world.ctx, &world.data, &run(digit)).await.unwrap();
    let staged = |paths: &[&str]| Write {
        repository: world.images.clone(),
        branch: world.main.clone(),
        staged: paths.iter().map(|path| (*path).to_owned()).collect(),
    };
    assert_eq!(writes("1").await, [staged(&["a", "b"])]);
    assert_eq!(writes("2").await, [staged(&["c"])]);
    assert_eq!(writes("3").await, []);
    assert!(list_writes(&elsewhere(), &world.data, &run("1")).await.unwrap().is_empty());
    world.commit("main", "by runs").await;
    assert_eq!(writes("1").await, [staged(&[])]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_batch_of_a_run_is_its_own_work(db: Db) {
    let world = world(&db).await;
    let bytes = Bytes::from_static(b"x");
    let hash = lathe_data::ContentHash::of(&bytes);
    let file = lathe_data::batches::BatchFile { path: path("x"), content_type: String::new(), hash, bytes };
    world
        .by_run(&run("3"), async |ctx| {
            lathe_data::batches::put_batch(ctx, &world.data, &world.images, &world.main, vec![file]).await
        })
        .await
        .unwrap();
    world.commit("main", "by a run").await;
    assert_eq!(world.edges_of("wrote").await[0].0, "3".repeat(12));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_is_discarded_was_written_by_nobody(db: Db) {
    let world = world(&db).await;
    world.put_by(&run("1"), "a", "1").await;
    discard(&world.ctx, &world.data, &world.images, &world.main, "").await.unwrap();
    world.put("main", "b", "1").await;
    world.commit("main", "b").await;
    assert!(world.edges_of("wrote").await.is_empty());
    // A part of what is staged, while others stay.
    world.put_by(&run("1"), "mine/a", "1").await;
    world.put("main", "c", "1").await;
    discard(&world.ctx, &world.data, &world.images, &world.main, "mine/").await.unwrap();
    world.commit("main", "c").await;
    assert!(world.edges_of("wrote").await.is_empty());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_reproduced_run_reads_what_the_first_one_read_first(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.commit("main", "one").await;
    assert_eq!(world.read_by(&run("1"), "main", "a").await, "1");
    world.put_by(&run("1"), "a", "2").await;
    world.commit("main", "two").await;
    assert_eq!(world.read_by(&run("1"), "main", "a").await, "2");
    reproduce(&world.ctx, &world.data, &run("1"), &run("2")).await.unwrap();
    assert_eq!(world.read_by(&run("2"), "main", "a").await, "1");
    assert_eq!(world.edges_of("reproduced").await, [("1".repeat(12), "2".repeat(12))]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn paths_are_stored_once_and_up_to_a_bound(db: Db) {
    let world = world(&db).await;
    for number in 0..20 {
        world.put("main", &format!("{number:02}"), "x").await;
    }
    world.commit("main", "twenty").await;
    for _ in 0..2 {
        for number in 0..20 {
            world.read_by(&run("1"), "main", &format!("{number:02}")).await;
        }
        flush(&world.data).await.unwrap();
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM run_read_paths").await, 20);
    assert_eq!(world.count("SELECT COUNT(*) FROM run_reads").await, 1);
    // Another server, which remembers nothing, adds nothing.
    let world = World { data: Data::new(world.db.clone(), world.objects.clone()), ..world };
    world.read_by(&run("1"), "main", "00").await;
    flush(&world.data).await.unwrap();
    assert_eq!(world.count("SELECT COUNT(*) FROM run_read_paths").await, 20);
    assert_eq!(world.count("SELECT COUNT(*) FROM run_reads").await, 1);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_run_that_wrote_nothing_of_a_commit_did_not_write_it(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.commit("main", "one").await;
    // What it holds already: the commit is refused, and the rows go.
    world.put_by(&run("1"), "a", "1").await;
    assert_eq!(code(world.try_commit("main", "nothing").await), lathe_core::Code::Conflict);
    // Taken back before the commit, and written over by somebody else.
    world.put_by(&run("1"), "new", "1").await;
    world.delete("main", "new").await;
    world.put_by(&run("1"), "b", "1").await;
    world.put("main", "b", "2").await;
    world.put_by(&run("2"), "c", "1").await;
    let made = world.commit("main", "two").await;
    assert_eq!(world.edges_of("wrote").await, [("2".repeat(12), made.id.as_str()[..12].to_owned())]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_name_that_a_run_resolves_is_pinned_and_so_are_its_ancestors(db: Db) {
    let world = world(&db).await;
    let mut made = Vec::new();
    for text in ["1", "2", "3"] {
        world.put("main", "a", text).await;
        made.push(world.commit("main", text).await);
    }
    let resolve = async |run_id: &RunId, revision: &str| {
        let revision = at(revision);
        world.by_run(run_id, async |ctx| get_commit(ctx, &world.data, &world.images, &revision).await.unwrap()).await.id
    };
    assert_eq!(resolve(&run("1"), "main").await, made[2].id);
    assert_eq!(world.read_by(&run("2"), "main~1", "a").await, "2");
    world.put("main", "a", "4").await;
    let fourth = world.commit("main", "4").await;
    assert_eq!(resolve(&run("1"), "main").await, made[2].id);
    assert_eq!(resolve(&run("1"), "main~1").await, made[1].id);
    assert_eq!(resolve(&run("2"), "main").await, made[2].id, "a step back from it pins the branch");
    assert_eq!(world.read_by(&run("2"), "main~1", "a").await, "2");
    assert_eq!(resolve(&run("3"), "main").await, fourth.id);
    assert_eq!(resolve(&run("1"), fourth.id.as_str()).await, fourth.id);
    assert_eq!(world.edges_of("read").await.len(), 1, "to resolve a name is not to read");
    reproduce(&world.ctx, &world.data, &run("1"), &run("4")).await.unwrap();
    assert_eq!(resolve(&run("4"), "main").await, made[2].id);
    world.put_by(&run("1"), "b", "mine").await;
    assert_eq!(resolve(&run("1"), "main").await, fourth.id, "who writes to a branch follows it");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_a_run_names_and_compares_is_what_it_has_read(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    let first = world.commit("main", "one").await;
    assert_eq!(world.read_by(&run("1"), "main", "a").await, "1");
    world.put("main", "a", "2").await;
    let second = world.commit("main", "two").await;
    let starts = async |run_id: &RunId, prefix: &str| {
        world
            .by_run(run_id, async |ctx| {
                let (branch, tag) = (name(&format!("{prefix}-branch")), name(&format!("{prefix}-tag")));
                let made = create_branch(ctx, &world.data, &world.images, branch, &at("main")).await.unwrap();
                let tagged = create_tag(ctx, &world.data, &world.images, tag, &at("main")).await.unwrap();
                let request = Log { from: at("main"), page_token: None, max_results: 1 };
                let logged = log(ctx, &world.data, &world.images, request).await.unwrap().commits.remove(0);
                let compared = between("main", second.id.as_str());
                let request = ListChanges { compared, prefix: String::new(), page_token: None, max_results: 9 };
                let changes = list_changes(ctx, &world.data, &world.images, request).await.unwrap().changes.len();
                ([made.commit_id, tagged.commit_id, logged.id], changes)
            })
            .await
    };
    let of = |commit: &Commit| [(); 3].map(|()| commit.id.clone());
    assert_eq!(starts(&run("1"), "first").await, (of(&first), 1));
    assert_eq!(starts(&run("2"), "second").await, (of(&second), 0));
    assert_eq!(world.count("SELECT COUNT(*) FROM run_pins").await, 1, "only a read pins");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_a_run_merges_it_has_read_and_what_comes_of_it_it_wrote(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.commit("main", "one").await;
    world.branch("side", "main").await;
    world.put("side", "b", "1").await;
    let theirs = world.commit("side", "theirs").await;
    world.put("main", "c", "1").await;
    world.commit("main", "ours").await;
    assert_eq!(world.read_by(&run("1"), "main", "a").await, "1");
    let merging = |fast_forward| Merge {
        source: at("side"), dest: world.main.clone(), message: None, strategy: Strategy::default(), fast_forward,
    };
    let merged = world
        .by_run(&run("1"), async |ctx| merge(ctx, &world.data, &world.images, merging(FastForward::Allowed)).await.unwrap())
        .await;
    let Merged::Committed(merged) = merged else { panic!("both sides have changes") };
    let short = |commit: &Commit| commit.id.as_str()[..12].to_owned();
    let digits = |digit: &str| digit.repeat(12);
    assert!(world.edges_of("read").await.contains(&(short(&theirs), digits("1"))));
    assert_eq!(world.edges_of("wrote").await, [(digits("1"), short(&merged))]);
    assert_eq!(world.read_by(&run("1"), "main", "b").await, "1", "it sees what it merged");
    let reverting = Revert { branch: world.main.clone(), commit: at(merged.id.as_str()), message: None, strategy: Strategy::default() };
    let reverted = world
        .by_run(&run("2"), async |ctx| revert(ctx, &world.data, &world.images, reverting).await.unwrap())
        .await;
    let Merged::Committed(reverted) = reverted else { panic!("there is something to take back") };
    assert!(world.edges_of("read").await.contains(&(short(&merged), digits("2"))));
    assert!(world.edges_of("wrote").await.contains(&(digits("2"), short(&reverted))));
    // A branch that just moves: read, and nothing new was written.
    let ahead = Merge { source: at("main"), dest: name("side"), ..merging(FastForward::Allowed) };
    let moved = world.by_run(&run("3"), async |ctx| merge(ctx, &world.data, &world.images, ahead).await.unwrap()).await;
    assert!(matches!(moved, Merged::FastForward(_)), "{moved:?}");
    assert!(world.edges_of("read").await.contains(&(short(&reverted), digits("3"))));
    assert_eq!(world.edges_of("wrote").await.len(), 2);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_run_that_merges_its_own_commit_does_not_come_from_it(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.commit("main", "one").await;
    world.branch("side", "main").await;
    world.put_on_by(&run("1"), "side", "b", "1").await;
    let own = world.commit("side", "own").await;
    world.put("main", "c", "1").await;
    world.commit("main", "ours").await;
    let merge_by = async |digit: &str, fast_forward| {
        let request =
            Merge { source: at("side"), dest: world.main.clone(), message: None, strategy: Strategy::default(), fast_forward };
        world.by_run(&run(digit), async |ctx| merge(ctx, &world.data, &world.images, request).await.unwrap()).await
    };
    let Merged::Committed(merged) = merge_by("1", FastForward::Allowed).await else { panic!("both sides have changes") };
    let short = |commit: &Commit| commit.id.as_str()[..12].to_owned();
    let wrote = |commit: &Commit| ("1".repeat(12), short(commit));
    assert_eq!(world.edges_of("wrote").await, [wrote(&own), wrote(&merged)]);
    assert!(world.edges_of("read").await.is_empty());
    // Another run's it reads.
    world.branch("other", own.id.as_str()).await;
    let request = Revert { branch: name("other"), commit: at("side"), message: None, strategy: Strategy::default() };
    let back = world.by_run(&run("2"), async |ctx| revert(ctx, &world.data, &world.images, request).await.unwrap()).await;
    assert!(matches!(back, Merged::Committed(_)), "{back:?}");
    assert_eq!(world.edges_of("read").await, [(short(&own), "2".repeat(12))]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_run_that_reads_its_own_commit_does_not_come_from_it(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    let one = world.commit("main", "one").await;
    world.branch("side", "main").await;
    world.put_on_by(&run("1"), "side", "b", "1").await;
    world.commit("side", "own").await;
    world.put_on_by(&run("1"), "side", "c", "1").await;
    let own = world.commit("side", "own, too").await;
    assert_eq!(world.read_by(&run("1"), "side", "b").await, "1");
    assert_eq!(world.read_by(&run("1"), own.id.as_str(), "a").await, "1");
    // What it reads besides comes from before.
    let of_one = (one.id.as_str()[..12].to_owned(), "1".repeat(12));
    assert_eq!(world.edges_of("read").await, std::slice::from_ref(&of_one));
    // What it read is known all the same.
    let reads = list_reads(&world.ctx, &world.data, &run("1")).await.unwrap();
    let of = |read: &lathe_data::uses::Read| (read.commit_id.clone(), read.paths.clone());
    assert_eq!(reads.iter().map(of).collect::<Vec<_>>(), [(own.id.clone(), vec!["a".to_owned(), "b".to_owned()])]);
    assert_eq!(world.read_by(&run("2"), "side", "b").await, "1");
    assert_eq!(world.edges_of("read").await, [of_one, (own.id.as_str()[..12].to_owned(), "2".repeat(12))]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_run_merges_what_a_branch_is_each_time_unless_it_has_read_it(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.commit("main", "one").await;
    world.branch("side", "main").await;
    world.branch("seen", "main").await;
    let merge_by = async |run_id: &RunId, source: &str, dest: &str| {
        let request = Merge {
            source: at(source), dest: name(dest), message: None, strategy: Strategy::default(), fast_forward: FastForward::Allowed,
        };
        world.by_run(run_id, async |ctx| merge(ctx, &world.data, &world.images, request).await.unwrap()).await
    };
    for text in ["1", "2"] {
        world.put("side", "b", text).await;
        let theirs = world.commit("side", text).await;
        let Merged::FastForward(moved) = merge_by(&run("1"), "side", "main").await else { panic!("main is behind") };
        assert_eq!(moved.id, theirs.id);
    }
    // Nor does a revert hold a run to what it took back.
    world.branch("back", "side").await;
    let request = Revert { branch: name("back"), commit: at("side"), message: None, strategy: Strategy::default() };
    let back = world.by_run(&run("3"), async |ctx| revert(ctx, &world.data, &world.images, request).await.unwrap()).await;
    assert!(matches!(back, Merged::Committed(_)), "{back:?}");
    assert_eq!(world.count("SELECT COUNT(*) FROM run_pins WHERE branch = 'side'").await, 0);
    assert_eq!(world.read_by(&run("2"), "seen", "a").await, "1");
    world.put("seen", "d", "1").await;
    world.commit("seen", "later").await;
    let merged = merge_by(&run("2"), "seen", "main").await;
    assert!(matches!(merged, Merged::UpToDate(_)), "it has read the branch as it was: {merged:?}");
    assert!(matches!(merge_by(&run("1"), "seen", "main").await, Merged::Committed(_)));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn who_looks_where_it_will_write_has_not_read(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    let first = world.commit("main", "one").await;
    let list = async |run_id: &RunId, prefix: &str| {
        let request = ListObjects { prefix: prefix.to_owned(), max_keys: 9, ..ListObjects::default() };
        world.by_run(run_id, async |ctx| list_objects(ctx, &world.data, &world.images, &at("main"), request).await.unwrap()).await
    };
    assert!(list(&run("1"), "out/").await.items.is_empty());
    let missing = world
        .by_run(&run("1"), async |ctx| get_object(ctx, &world.data, &world.images, &at("main"), &path("out/x"), None).await.is_err())
        .await;
    assert!(missing);
    let batch = async |run_id: &RunId, paths: Vec<ObjectKey>| {
        world.by_run(run_id, async |ctx| read_batch(ctx, &world.data, &world.images, &at("main"), paths).await.map(drop).unwrap()).await;
    };
    batch(&run("1"), vec![path("out/y")]).await;
    world.put_by(&run("1"), "out/x", "1").await;
    assert_eq!(list(&run("1"), "").await.items.len(), 2);
    assert!(world.edges_of("read").await.is_empty());
    assert_eq!(list(&run("2"), "").await.items.len(), 1);
    let read_of = |digit: &str| (first.id.as_str()[..12].to_owned(), digit.repeat(12));
    assert_eq!(world.edges_of("read").await, [read_of("2")]);
    batch(&run("3"), vec![path("a"), path("out/y")]).await;
    assert_eq!(world.edges_of("read").await, [read_of("2"), read_of("3")]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn paths_that_could_not_be_stored_are_stored_later(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.commit("main", "one").await;
    world.read_by(&run("1"), "main", "a").await;
    let execute = async |sql: &'static str| {
        world.db.write(move |tx| lathe_db::FutureExt::boxed(async move { tx.execute(query(sql)).await })).await.unwrap()
    };
    execute("ALTER TABLE run_read_paths RENAME TO elsewhere").await;
    flush(&world.data).await.unwrap_err();
    execute("ALTER TABLE elsewhere RENAME TO run_read_paths").await;
    flush(&world.data).await.unwrap();
    assert_eq!(world.count("SELECT COUNT(*) FROM run_read_paths").await, 1);
});
