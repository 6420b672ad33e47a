use futures::{StreamExt as _, TryStreamExt as _};
use lathe_core::Code;
use lathe_data::batch_reads::{FileRead, MAX_READ_FILES, read_batch};
use lathe_data::batches::*;
use lathe_data::merges::{FastForward, Merge, Strategy, merge};
use lathe_data::objects::{CopyObject, CopySource, copy_object, head_object, read_object};
use lathe_data::repositories::delete_repository;
use lathe_data::{Blob, ContentHash};
use lathe_objects::{DEFAULT_GRACE_MS, GcReport};
use lathe_testkit::store_test;

use crate::*;

fn file(at: &str, content: &str) -> BatchFile {
    let bytes = Bytes::copy_from_slice(content.as_bytes());
    BatchFile { path: path(at), content_type: "text/plain".to_owned(), hash: ContentHash::of(&bytes), bytes }
}

impl World {
    async fn try_batch(&self, branch: &str, files: Vec<BatchFile>) -> Result<Batched> {
        put_batch(&self.ctx, &self.data, &self.images, &name(branch), files).await
    }

    async fn batch(&self, files: &[(&str, &str)]) {
        let files = files.iter().map(|(at, content)| file(at, content)).collect();
        self.try_batch("main", files).await.unwrap();
    }

    async fn head(&self, from: &str, at_path: &str) -> Entry {
        head_object(&self.ctx, &self.data, &self.images, &at(from), &path(at_path)).await.unwrap()
    }

    async fn collect(&self) -> GcReport {
        lathe_objects::gc(&self.objects, lathe_data::LIVE_OBJECTS, DEFAULT_GRACE_MS).await.unwrap()
    }

    async fn next_day(&self) {
        self.ctx.clock.advance_ms(DEFAULT_GRACE_MS + 1_000);
    }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_batch_is_one_object_and_its_files_are_like_others(db: Db) {
    let world = world(&db).await;
    let (one, two) = (large("one "), large("two "));
    world.batch(&[("b", &two), ("a", &one), ("small", "s"), ("same", &two), ("empty", "")]).await;
    assert_eq!(world.count("SELECT COUNT(*) FROM objects").await, 1);
    for from in ["main", "main"] {
        assert_eq!(world.all(from).await, ["a", "b", "empty", "same", "small"]);
        for (at, content) in [("a", one.as_str()), ("b", &two), ("same", &two), ("small", "s"), ("empty", "")] {
            assert_eq!(world.read(from, at).await.as_deref(), Some(content), "{at}");
        }
        if let Err(error) = world.try_commit("main", "all").await {
            assert_eq!(error.code(), Code::Conflict);
        }
    }
    let (packed, alone) = (world.head("main", "a").await, world.put("main", "alone", &one).await);
    assert!(matches!(packed.blob, Blob::Packed { .. }));
    assert_eq!((packed.hash, packed.size_bytes), (alone.hash, alone.size_bytes));
    assert!(packed.etag.to_string().ends_with("-1"), "a tag that no client takes for an MD5 of the bytes");
    assert_eq!(packed.content_type, "text/plain");
    let read = read_object(&world.ctx, &world.data, packed.clone(), Some(1..6)).await.unwrap();
    assert_eq!(read.stream.try_collect::<Vec<_>>().await.unwrap().concat(), b"ne on");
    assert_eq!(code(read_object(&world.ctx, &world.data, packed, Some(100_000..100_001)).await), Code::InvalidArgument);
    world.batch(&[("b", &large("other"))]).await;
    assert_eq!(world.read("main", "b").await, Some(large("other")));
    assert!(matches!(world.head("main", "b").await.blob, Blob::Object), "a pack of one is that content's object");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_batch_is_staged_whole_or_not_at_all(db: Db) {
    let world = world(&db).await;
    let mut damaged = file("damaged", &large("x"));
    damaged.hash = ContentHash::of(b"other");
    let huge = file("huge", &"h".repeat(MAX_BATCH_FILE_BYTES + 1));
    let mut no_type = file("type", "t");
    no_type.content_type = "a\nb".to_owned();
    let many = (0..=MAX_BATCH_FILES).map(|number| file(&number.to_string(), "m")).collect();
    for bad in [vec![file("good", "g"), damaged], vec![file("good", "g"), huge], vec![file("good", "g"), no_type],
        vec![file("good", "g"), file("good", "h")], many] {
        assert_eq!(code(world.try_batch("main", bad).await), Code::InvalidArgument);
    }
    assert_eq!(code(world.try_batch("nowhere", vec![file("a", "a")]).await), Code::NotFound);
    lathe_data::refs::create_tag(&world.ctx, &world.data, &world.images, name("v1"), &at("main")).await.unwrap();
    assert_eq!(code(world.try_batch("v1", vec![file("a", "a")]).await), Code::InvalidArgument);
    let reader = as_role(Role::Viewer);
    let refused = put_batch(&reader, &world.data, &world.images, &world.main, vec![file("a", "a")]).await;
    assert_eq!(code(refused), Code::PermissionDenied);
    assert_eq!(world.try_batch("main", vec![]).await.unwrap(), Batched { files: 0, size_bytes: 0 });
    assert!(world.all("main").await.is_empty());
    assert_eq!(world.count("SELECT COUNT(*) FROM objects").await, 0);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_pack_stays_as_long_as_anything_names_one_of_its_files(db: Db) {
    let world = world(&db).await;
    let (one, two) = (large("one "), large("two "));
    world.batch(&[("a", &one), ("b", &two)]).await;
    world.next_day().await;
    assert_eq!(world.collect().await.deleted_objects, 0, "staged");
    world.commit("main", "both").await;
    world.delete("main", "a").await;
    world.commit("main", "without a").await;
    world.next_day().await;
    assert_eq!(world.collect().await.deleted_objects, 0, "committed");
    let other = repository("other");
    create_repository(&world.ctx, &world.data, CreateRepository::named(other.clone())).await.unwrap();
    let source = CopySource { repository: world.images.clone(), revision: at("main"), path: path("b") };
    copy_object(&world.ctx, &world.data, &source, &other, &world.main, &path("copy"), CopyObject::default()).await.unwrap();
    delete_repository(&world.ctx, &world.data, &world.images).await.unwrap();
    world.next_day().await;
    assert_eq!(world.collect().await.deleted_objects, 0, "copied to another repository");
    let copy = get_object(&world.ctx, &world.data, &other, &at("main"), &path("copy"), None).await.unwrap();
    assert_eq!(copy.stream.try_collect::<Vec<_>>().await.unwrap().concat(), two.as_bytes());
    let report = lathe_objects::fsck(&world.objects, lathe_data::LIVE_OBJECTS).await.unwrap();
    assert_eq!((report.objects, report.damages.len()), (1, 0));
    delete_repository(&world.ctx, &world.data, &other).await.unwrap();
    assert_eq!(world.collect().await.deleted_objects, 1);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn packed_files_are_merged_compared_and_reverted(db: Db) {
    let world = world(&db).await;
    world.batch(&[("a", &large("a")), ("b", &large("b"))]).await;
    world.commit("main", "base").await;
    world.branch("work", "main").await;
    // The same bytes in another pack are no change.
    world.batch(&[("a", &large("a")), ("b", &large("B")), ("c", &large("c"))]).await;
    world.commit("main", "changed").await;
    assert_eq!(world.changes(between("work", "main"), "", 10).await, ["changed b", "added c"]);
    let request = Merge {
        source: at("main"),
        dest: name("work"),
        message: None,
        strategy: Strategy::default(),
        fast_forward: FastForward::Never,
    };
    merge(&world.ctx, &world.data, &world.images, request).await.unwrap();
    assert_eq!(world.read("work", "c").await, Some(large("c")));
    assert_eq!(world.read("work~1", "b").await, Some(large("b")));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_damaged_pack_is_found_and_never_read_as_if_it_were_whole(db: Db) {
    let world = world(&db).await;
    world.batch(&[("a", &large("a")), ("b", &large("b"))]).await;
    let Blob::Packed { pack, offset } = world.head("main", "b").await.blob else { panic!("it is packed") };
    let text = pack.to_string();
    let stored = world.folder.path().join("objects").join(&text[..2]).join(&text[2..4]).join(&text);
    let mut bytes = std::fs::read(&stored).unwrap();
    bytes[usize::try_from(offset).unwrap() + 5] ^= 1;
    std::fs::write(&stored, &bytes).unwrap();
    assert_eq!(code(world.try_read("main", "b").await), Code::Internal);
    assert_eq!(world.read("main", "a").await, Some(large("a")));
    let report = lathe_objects::fsck(&world.objects, lathe_data::LIVE_OBJECTS).await.unwrap();
    assert_eq!(report.damages.len(), 1);
    bytes.truncate(100);
    std::fs::write(&stored, &bytes).unwrap();
    assert_eq!(code(world.try_read("main", "a").await), Code::Internal);
});

impl World {
    async fn try_read_batch(&self, from: &str, paths: &[&str]) -> Result<Vec<FileRead>> {
        let paths = paths.iter().map(|at| path(at)).collect();
        let files = read_batch(&self.ctx, &self.data, &self.images, &at(from), paths).await?;
        Ok(files.collect::<Vec<_>>().await.into_iter().flatten().collect())
    }

    /// The files in the order of the answer: their bytes, or the code of the error.
    async fn read_batch(&self, from: &str, paths: &[&str]) -> Vec<(String, std::result::Result<String, Code>)> {
        let text = |(entry, bytes): (Entry, Bytes)| {
            assert_eq!((entry.size_bytes, entry.hash), (bytes.len() as u64, ContentHash::of(&bytes)));
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let files = self.try_read_batch(from, paths).await.unwrap().into_iter();
        files.map(|file| (file.path.to_string(), file.read.map(text).map_err(|error| error.code()))).collect()
    }
}

fn read(at: &str, content: &str) -> (String, std::result::Result<String, Code>) {
    (at.to_owned(), Ok(content.to_owned()))
}

fn refused(at: &str, code: Code) -> (String, std::result::Result<String, Code>) {
    (at.to_owned(), Err(code))
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn files_are_read_together_as_they_are_read_alone(db: Db) {
    let world = world(&db).await;
    let names: Vec<String> = (0..200).map(|number| format!("many/{number:03}")).collect();
    let contents: Vec<String> = (0..200).map(|number| if number % 3 == 0 { number.to_string() } else { large(&number.to_string()) }).collect();
    let files: Vec<(&str, &str)> = names.iter().zip(&contents).map(|(at, content)| (at.as_str(), content.as_str())).collect();
    world.batch(&files).await;
    world.put("main", "alone", &large("alone")).await;
    world.commit("main", "base").await;
    world.put("main", "many/004", "staged").await;
    world.put("main", "many/0045", "new").await;
    world.delete("main", "many/100").await;
    let asked = ["many/199", "many/000", "alone", "many/001", "many/002", "many/004", "many/0045", "many/100", "many/nothing", "zzz"];
    let at = |at: usize| read(&names[at], &contents[at]);
    let gone = |at: &str| refused(at, Code::NotFound);
    assert_eq!(world.read_batch("main", &asked).await, [read("alone", &large("alone")), at(0), at(1), at(2), read("many/004", "staged"),
        read("many/0045", "new"), gone("many/100"), at(199), gone("many/nothing"), gone("zzz")]);
    let committed = world.commit("main", "changed").await;
    assert_eq!(world.read_batch(&format!("{}~1", committed.id), &asked).await[4..7], [at(4), gone("many/0045"), at(100)]);
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(world.read_batch("main~1", &all).await, (0..200).map(at).collect::<Vec<_>>());
    assert_eq!(world.read_batch("main", &[]).await, []);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_cannot_be_read_keeps_no_other_file_back(db: Db) {
    let world = world(&db).await;
    world.batch(&[("a", &large("a")), ("b", &large("b")), ("c", &large("c"))]).await;
    world.put("main", "huge", &"h".repeat(MAX_BATCH_FILE_BYTES + 1)).await;
    let Blob::Packed { pack, offset } = world.head("main", "b").await.blob else { panic!("it is packed") };
    let text = pack.to_string();
    let stored = world.folder.path().join("objects").join(&text[..2]).join(&text[2..4]).join(&text);
    let mut bytes = std::fs::read(&stored).unwrap();
    bytes[usize::try_from(offset).unwrap() + 5] ^= 1;
    std::fs::write(&stored, &bytes).unwrap();
    let all = ["a", "b", "c", "huge"];
    let (a, c, huge) = (read("a", &large("a")), read("c", &large("c")), refused("huge", Code::TooLarge));
    assert_eq!(world.read_batch("main", &all).await, [a.clone(), refused("b", Code::Internal), c, huge.clone()]);
    bytes.truncate(bytes.len() - 5);
    std::fs::write(&stored, &bytes).unwrap();
    let damaged = |at| refused(at, Code::Internal);
    assert_eq!(world.read_batch("main", &all).await, [a, damaged("b"), damaged("c"), huge]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_batch_that_is_read_has_bounds_and_stays_in_its_project(db: Db) {
    let world = world(&db).await;
    let content = "x".repeat(MAX_BATCH_FILE_BYTES);
    for at in 0..18 {
        world.put("main", &format!("{at:02}"), &content).await;
    }
    let paths: Vec<String> = (0..18).map(|at| format!("{at:02}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let codes: Vec<bool> = world.read_batch("main", &paths).await.into_iter().map(|(_, read)| read.is_ok()).collect();
    assert_eq!(codes, [[true; 16].as_slice(), &[false; 2]].concat());
    let many: Vec<String> = (0..=MAX_READ_FILES).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for bad in [many.as_slice(), &["00", "00"]] {
        assert_eq!(code(world.try_read_batch("main", bad).await), Code::InvalidArgument);
    }
    assert_eq!(code(world.try_read_batch("nowhere", &["00"]).await), Code::NotFound);
    for (who, expected) in [(elsewhere(), Code::NotFound), (Ctx { grant: Grant::NONE, ..ctx() }, Code::PermissionDenied)] {
        let refused = read_batch(&who, &world.data, &world.images, &at("main"), vec![path("00")]).await;
        assert_eq!(refused.map(drop).unwrap_err().code(), expected);
    }
});
