use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use bytes::Bytes;
use lathe_monitoring::references::{
    ColumnChoice, FileKind, add_file, get_reference, sampled_columns, set_reference, set_window_reference,
};
use lathe_monitoring::report::report_drift;
use lathe_monitoring::windows::Span;
use lathe_monitoring::{Part, Profile, parse_time};
use lathe_testkit::store_test;
use parquet::arrow::ArrowWriter;

use crate::*;

/// Rows of one window: temperatures around a centre, in turn of two carriers.
fn lot(prefix: &str, at_ms: i64, centre: f64, version: i64) -> Vec<Sample> {
    let one = |at: usize| {
        let carrier = if at.is_multiple_of(2) { "UA" } else { "AA" };
        let mut made = sample(&format!("{prefix}{at}"), at_ms, (centre + (at % 20) as f64, carrier), 0.2);
        made.version = version;
        made
    };
    (0..200).map(one).collect()
}

async fn shares(world: &World, version: Option<i64>) -> Vec<Option<f64>> {
    let report = report_drift(&world.ctx, &world.monitoring, DEPLOYMENT, version, Span::default()).await.unwrap();
    report.windows.iter().map(|window| window.drift_share).collect()
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn windows_are_compared_with_a_window_that_a_person_chose(db: Db) {
    let world = world(&db).await;
    world.record([lot("a", 0, 0.0, 1), lot("b", HOUR_MS, 0.0, 1), lot("c", 2 * HOUR_MS, 15.0, 1)].concat()).await;
    assert_eq!(shares(&world, None).await, [None, None, None], "there is nothing to compare with");
    let (ctx, monitoring) = (&world.ctx, &world.monitoring);
    assert_eq!(code(get_reference(ctx, monitoring, DEPLOYMENT, 0).await), Code::NotFound);
    assert_eq!(code(set_window_reference(ctx, monitoring, DEPLOYMENT, 0, 7).await), Code::NotFound);
    let set = set_window_reference(ctx, monitoring, DEPLOYMENT, 0, 0).await.unwrap();
    assert_eq!((set.rows, set.version), (200, 0));
    assert_eq!(shares(&world, None).await, [Some(0.0), Some(0.0), Some(0.5)]);
    let report = report_drift(ctx, monitoring, DEPLOYMENT, None, Span::default()).await.unwrap();
    let temperature = report.windows[2].columns.iter().find(|column| column.name == "temp").unwrap();
    assert_eq!(temperature.is_drifted, Some(true));
    assert!(temperature.problems[0].contains("leave the reference's range"), "{:?}", temperature.problems);
    assert_eq!(report.reference, Some(set));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn an_input_that_requests_leave_out_is_missing_in_their_rows(db: Db) {
    let world = world(&db).await;
    let without = |mut sample: Sample, name: &str| {
        let columns: Vec<_> = sample.inputs.columns().iter().filter(|column| column.name != name).cloned().collect();
        sample.inputs = Table::new(columns).unwrap();
        sample
    };
    let mut later = lot("b", HOUR_MS, 0.0, 1);
    later = later.into_iter().enumerate().map(|(at, one)| if at % 4 < 2 { without(one, "carrier") } else { one }).collect();
    // Its kind changes, and nothing is missing.
    for one in later.iter_mut().step_by(2) {
        let mut columns = vec![column("temp", Values::Texts(vec![Some("warm".to_owned())]))];
        columns.extend(one.inputs.columns().iter().filter(|column| column.name != "temp").cloned());
        one.inputs = Table::new(columns).unwrap();
    }
    world.record([lot("a", 0, 0.0, 1), later].concat()).await;
    set_window_reference(&world.ctx, &world.monitoring, DEPLOYMENT, 0, 0).await.unwrap();
    let report = report_drift(&world.ctx, &world.monitoring, DEPLOYMENT, None, Span::default()).await.unwrap();
    let problems = |window: usize| -> Vec<(&str, &str)> {
        let columns = report.windows[window].columns.iter();
        let all = columns.flat_map(|column| column.problems.iter().map(|problem| (column.name.as_str(), problem.as_str())));
        all.filter(|(_, problem)| problem.contains("are missing")).collect()
    };
    assert_eq!(problems(0), []);
    assert_eq!(problems(1), [("carrier", "50.0 % of the values are missing; it was 0.0 %")]);
    let carrier = report.windows[1].columns.iter().find(|column| column.name == "carrier").unwrap();
    assert_eq!(carrier.current.as_ref().unwrap().missing_share, 0.5);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn each_window_is_compared_with_what_its_version_learnt_from(db: Db) {
    let world = world(&db).await;
    world.record([lot("a", 0, 0.0, 1), lot("b", HOUR_MS, 30.0, 1), lot("c", 2 * HOUR_MS, 30.0, 2)].concat()).await;
    let choice = sampled_columns(&world.ctx, &world.monitoring, DEPLOYMENT).await.unwrap();
    for (version, centre) in [(1, 0), (2, 30)] {
        let rows = (0..400).map(|at| format!("{},{},x", centre + at % 20, if at % 2 == 0 { "UA" } else { "AA" }));
        let text = format!("temp,carrier,year\n{}\n", rows.collect::<Vec<_>>().join("\n"));
        let mut profile = Profile::default();
        add_file(&mut profile, FileKind::Csv, Bytes::from(text), &choice).unwrap();
        set_reference(&world.ctx, &world.monitoring, DEPLOYMENT, version, "a file", Vec::new(), profile).await.unwrap();
    }
    assert_eq!(shares(&world, None).await, [Some(0.0), Some(0.5), Some(0.0)]);
    assert_eq!(shares(&world, Some(2)).await, [None, None, Some(0.0)]);
    assert!(world.actions().await.contains(&"monitoring.reference_set".to_owned()));
});

/// Rows whose columns are, in files, not what they are in requests.
fn mixed(id: &str, at: usize) -> Sample {
    let at_ms = 1_372_636_800_000.0 + (at % 4) as f64 * 86_400_000.0;
    let inputs = vec![
        column("is_late", Values::Booleans(vec![Some(at.is_multiple_of(2))])),
        column("zip", Values::Texts(vec![Some(format!("0{}", at % 3))])),
        column("at", Values::Numbers(vec![at_ms])),
        column("day", Values::Numbers(vec![at_ms])),
        column("price", Values::Numbers(vec![(at % 5) as f64 + 0.25])),
        column("kind", Values::Texts(vec![Some(["a", "b"][at % 2].to_owned())])),
    ];
    Sample { inputs: Table::new(inputs).unwrap(), ..sample(id, 0, (1.0, "UA"), 0.2) }
}

async fn drifted(world: &World, kind: FileKind, file: Vec<u8>) -> Vec<String> {
    let choice = sampled_columns(&world.ctx, &world.monitoring, DEPLOYMENT).await.unwrap();
    let mut profile = Profile::default();
    add_file(&mut profile, kind, Bytes::from(file), &choice).unwrap();
    assert!(choice.is_covered_by(&profile), "{kind:?}");
    set_reference(&world.ctx, &world.monitoring, DEPLOYMENT, 0, "a file", Vec::new(), profile).await.unwrap();
    let report = report_drift(&world.ctx, &world.monitoring, DEPLOYMENT, None, Span::default()).await.unwrap();
    let columns = report.windows[0].columns.iter().filter(|column| column.part == Part::Input);
    columns.filter(|column| column.is_drifted != Some(false)).map(|column| format!("{column:?}")).collect()
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_file_is_read_as_the_kinds_that_requests_have(db: Db) {
    const ROWS: usize = 240;
    let world = world(&db).await;
    world.record((0..ROWS).map(|at| mixed(&format!("r{at}"), at)).collect()).await;
    let day = |at: usize| format!("2013-07-0{}", 1 + at % 4);
    let line = |at: usize| {
        let is_late = if at.is_multiple_of(2) { "True" } else { "False" };
        let (zip, price, kind) = (at % 3, (at % 5) as f64 + 0.25, ["a", "b"][at % 2]);
        format!("{is_late},0{zip},{}T00:00:00Z,{},{price},{kind}", day(at), day(at))
    };
    let text = format!("is_late,zip,at,day,price,kind\n{}\n", (0..ROWS).map(line).collect::<Vec<_>>().join("\n"));
    assert_eq!(drifted(&world, FileKind::Csv, text.into_bytes()).await, Vec::<String>::new());

    let rows = || 0..ROWS;
    let at_us = |at: usize| parse_time(&day(at)).unwrap() as i64 * 1_000;
    let days = |at: usize| 15_887 + i32::try_from(at % 4).unwrap();
    let kinds: DictionaryArray<Int8Type> = rows().map(|at| Some(["a", "b"][at % 2])).collect();
    let prices: Decimal128Array = rows().map(|at| Some((at % 5) as i128 * 100 + 25)).collect();
    let zips: DictionaryArray<Int8Type> = rows().map(|at| Some(["00", "01", "02"][at % 3])).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("is_late", Arc::new(arrow_array::BooleanArray::from(rows().map(|at| at.is_multiple_of(2)).collect::<Vec<_>>()))),
        ("zip", Arc::new(zips)),
        ("at", Arc::new(TimestampMicrosecondArray::from(rows().map(at_us).collect::<Vec<_>>()).with_timezone("UTC"))),
        ("day", Arc::new(Date32Array::from(rows().map(days).collect::<Vec<_>>()))),
        ("price", Arc::new(prices.with_precision_and_scale(10, 2).unwrap())),
        ("kind", Arc::new(kinds)),
        ("left_out", Arc::new(Int64Array::from(vec![1; ROWS]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    assert_eq!(drifted(&world, FileKind::Parquet, writer.into_inner().unwrap()).await, Vec::<String>::new());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_file_whose_values_of_an_input_are_of_another_kind_does_not_cover_it(db: Db) {
    let world = world(&db).await;
    world.record(lot("a", 0, 0.0, 1)).await;
    let choice = sampled_columns(&world.ctx, &world.monitoring, DEPLOYMENT).await.unwrap();
    for (temperature, is_covered) in [("True", true), ("1.5", true), ("warm", false), ("", true)] {
        let mut profile = Profile::default();
        let text = format!("temp,carrier\n{temperature},UA\n");
        add_file(&mut profile, FileKind::Csv, Bytes::from(text), &choice).unwrap();
        assert_eq!(choice.is_covered_by(&profile), is_covered, "{temperature:?}");
    }
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn files_of_a_reference_say_nothing_of_columns_that_they_do_not_have(db: Db) {
    let world = world(&db).await;
    world.record(lot("a", 0, 0.0, 1)).await;
    let choice = sampled_columns(&world.ctx, &world.monitoring, DEPLOYMENT).await.unwrap();
    let mut whole = Profile::default();
    for text in ["temp\n1\n2\n", "carrier\n\"\"\n\"\"\n"] {
        let mut one = Profile::default();
        add_file(&mut one, FileKind::Csv, Bytes::from(text), &choice).unwrap();
        whole.merge(&one).unwrap();
    }
    set_reference(&world.ctx, &world.monitoring, DEPLOYMENT, 0, "two files", Vec::new(), whole).await.unwrap();
    let report = report_drift(&world.ctx, &world.monitoring, DEPLOYMENT, None, Span::default()).await.unwrap();
    let column = |name: &str| report.windows[0].columns.iter().find(|column| column.name == name).unwrap();
    let was_missing = |name: &str| column(name).reference.as_ref().unwrap().missing_share;
    assert_eq!((was_missing("temp"), was_missing("carrier")), (0.0, 1.0));
    let unjudged = "the reference has no values of the column: its drift cannot be judged";
    assert_eq!(column("carrier").problems, [unjudged]);
    // What cannot be read is missing, also where a whole part of a file is of such.
    let rows = (0..9_000).map(|at| if at < 6_000 { "n/a,UA" } else { "1,UA" }).collect::<Vec<_>>().join("\n");
    let mut profile = Profile::default();
    add_file(&mut profile, FileKind::Csv, Bytes::from(format!("temp,carrier\n{rows}\n")), &choice).unwrap();
    set_reference(&world.ctx, &world.monitoring, DEPLOYMENT, 0, "a file", Vec::new(), profile).await.unwrap();
    let report = report_drift(&world.ctx, &world.monitoring, DEPLOYMENT, None, Span::default()).await.unwrap();
    let temp = report.windows[0].columns.iter().find(|column| column.name == "temp").unwrap();
    assert!((temp.reference.as_ref().unwrap().missing_share - 2.0 / 3.0).abs() < 1e-9);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_holds_no_rows_of_the_model_is_no_reference(db: Db) {
    let world = world(&db).await;
    let (ctx, monitoring) = (&world.ctx, &world.monitoring);
    let empty = set_reference(ctx, monitoring, DEPLOYMENT, 0, "nothing", Vec::new(), Profile::default()).await;
    assert_eq!(code(empty), Code::InvalidArgument);
    let mut profile = Profile::default();
    let torn = add_file(&mut profile, FileKind::Parquet, Bytes::from_static(b"PAR1"), &ColumnChoice::default());
    assert_eq!(code(torn), Code::InvalidArgument);
    assert_eq!(code(set_window_reference(&as_role(Role::Viewer), monitoring, DEPLOYMENT, 0, 0).await), Code::PermissionDenied);
});
