use lathe_core::{Clock, Code};
use lathe_objects::{SCHEMA, fsck};
use lathe_testkit::store_test;

use crate::{NOTES, REFERENCES, files, get, name, put, stores};

store_test!([SCHEMA, NOTES] async fn every_flipped_byte_is_found_and_says_what_depends_on_it(db: Db) {
    let (folder, [local, _]) = stores(&db, &Clock::System).await;
    let object = put(&local, b"twelve bytes").await;
    name(&db, "a note", &object.hash).await;
    let whole = fsck(&local, &REFERENCES).await.unwrap();
    assert_eq!((whole.objects, whole.bytes, whole.damages.len()), (1, 12, 0));

    let file = files(&folder.path().join("objects")).remove(0);
    for place in 0..12 {
        let mut bytes = b"twelve bytes".to_vec();
        bytes[place] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        assert_eq!(get(&local, &object.hash).await.unwrap_err().code(), Code::Internal);
        let report = fsck(&local, &REFERENCES).await.unwrap();
        assert_eq!(report.damages.len(), 1);
        assert_eq!(report.damages[0].hash, object.hash);
        assert_eq!(report.damages[0].dependents, ["notes a note"]);
    }
    std::fs::remove_file(&file).unwrap();
    let report = fsck(&local, &REFERENCES).await.unwrap();
    assert!(report.damages[0].reason.contains("missing"), "{}", report.damages[0].reason);
});

store_test!([SCHEMA, NOTES] async fn what_a_crash_left_unnamed_is_no_damage(db: Db) {
    let (folder, [local, _]) = stores(&db, &Clock::System).await;
    put(&local, b"its row was written, its blob was not").await;
    std::fs::remove_file(files(&folder.path().join("objects")).remove(0)).unwrap();
    assert!(fsck(&local, &REFERENCES).await.unwrap().damages.is_empty());
});
