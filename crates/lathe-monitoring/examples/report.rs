//! A drift report of two Parquet files: `report REFERENCE CURRENT`. Prints the number of columns, how many of them have drifted, and the
//! seconds of CPU that it took from the files' bytes to the report. Used by `make bench-monitoring`. Linux only (reads `/proc`).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a tool for developers"
)]

use bytes::Bytes;
use lathe_monitoring::Profile;
use lathe_monitoring::drift::compare;
use lathe_monitoring::references::{ColumnChoice, FileKind, add_file};

fn profile(path: &str) -> Profile {
    let (mut profile, bytes) = (Profile::default(), Bytes::from(std::fs::read(path).unwrap()));
    add_file(&mut profile, FileKind::Parquet, bytes, &ColumnChoice::default()).unwrap();
    profile
}

/// CPU time of this process in nanoseconds.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [reference, current] = arguments.as_slice() else { panic!("usage: report REFERENCE CURRENT") };
    let before = cpu_ns();
    let compared = compare(&profile(reference), &profile(current)).unwrap();
    let seconds = (cpu_ns() - before) as f64 / 1e9;
    let drifted: Vec<&str> =
        compared.columns.iter().filter(|it| it.is_drifted == Some(true)).map(|it| it.name.as_str()).collect();
    println!("{}", serde_json::json!({ "columns": compared.columns.len(), "drifted": drifted, "cpu_s": seconds }));
}
