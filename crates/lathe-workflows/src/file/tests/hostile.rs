//! Files that are meant to hurt.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::read;

fn first_code(text: &str) -> &'static str {
    read(text).err().and_then(|found| found.first().map(|mistake| mistake.code)).unwrap_or("none")
}

#[test]
fn alias_bombs_deep_nesting_and_large_files_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        let _ = writeln!(bomb, "a{level}: &a{level} [{}]", vec![alias; 10].join(", "));
    }
    assert_eq!(first_code(&bomb), "too_large");
    assert_eq!(first_code(&"[".repeat(500_000)), "yaml");
    assert_eq!(first_code(&format!("{}{}", "[".repeat(40), "]".repeat(40))), "too_deep");
    assert_eq!(
        first_code(&(0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>()),
        "too_deep"
    );
    assert_eq!(first_code(&"#".repeat(1024 * 1024 + 1)), "too_large");
}

#[test]
fn too_many_jobs_and_cells_are_refused() {
    let jobs: String = (0..1_001).map(|number| format!("  j{number}: {{ run: x }}\n")).collect();
    assert_eq!(first_code(&format!("name: p\njobs:\n{jobs}")), "too_large");
    let jobs: String = (0..1_000).map(|number| format!("  j{number}: {{ run: x }}\n")).collect();
    assert!(read(&format!("name: p\njobs:\n{jobs}")).is_ok());
    let axis = (0..101).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
    let cells = format!("name: p\njobs:\n  a: {{ run: x, matrix: {{ a: [{axis}], b: [{axis}] }} }}\n");
    assert_eq!(first_code(&cells), "too_large");
}

#[test]
fn a_file_that_is_no_pipeline_is_refused() {
    for text in [
        "",
        "# nothing\n",
        "~",
        "[]",
        "x",
        "name: p",
        "name: p\njobs: {}",
        "a: b\n---\nc: d\n",
        "!!str x",
        "*a",
        "a: &a [*a]",
        "? [x]\n: y",
        "\u{0}",
        "\t",
    ] {
        assert_ne!(first_code(text), "none", "{text:?}");
    }
}

#[test]
fn a_key_that_is_given_thousands_of_times_gives_few_mistakes() {
    let text = "x: y\n".repeat(50_000);
    assert!(read(&text).unwrap_err().len() <= 101);
}

#[test]
fn a_file_of_one_long_line_is_read_and_few_of_its_mistakes_are_shown() {
    let expressions = "${{params.z}} ".repeat(70);
    let jobs: Vec<String> = (0..1_000).map(|number| format!("j{number}: {{ run: 'x {expressions}' }}")).collect();
    let text = format!("name: p\njobs: {{{}}}\n", jobs.join(", "));
    let found = read(&text).unwrap_err();
    assert_eq!(found.len(), 100);
    assert_eq!((found[1].code, found[1].at.line, found[1].at.column), ("unknown_reference", 2, 39));
    assert!(found[99].render("f", &text).len() < 1_000);
    assert_eq!(first_code(&format!("a: [{}]", vec!["x"; 99_000].join(","))), "unknown_key");
}

/// Pieces that files are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "name: p\n",
        "jobs:\n",
        "  a:\n",
        "    run: ",
        "x\n",
        "${{",
        "}}",
        " params.x ",
        "'",
        "\"",
        "{",
        "}",
        "[",
        "]",
        ": ",
        ",",
        "- ",
        "&a ",
        "*a ",
        "|\n",
        ">\n",
        "matrix: ",
        "needs: [a]\n",
        "\n",
        "\t",
        "ä",
        "on: ",
        "if: ",
        "!",
        "<<",
        "#",
        "\u{feff}",
        "\r\n",
        "cron: \"* * * * *\"",
        "deploy: ",
        "canary: 10%",
        "watch: ",
        "99999999999999999999",
        "-1",
        "\\",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![pieces(), ".{0,200}".prop_map(String::from)]) {
        let lines = text.matches('\n').count() + 2;
        for mistake in read(&text).err().unwrap_or_default() {
            prop_assert!(mistake.at.line >= 1 && mistake.at.column >= 1 && mistake.at.line <= lines);
            prop_assert!(!mistake.render("f", &text).is_empty());
        }
    }

    #[test]
    fn no_job_makes_the_reader_panic(job in pieces()) {
        let _ = read(&format!("name: p\njobs:\n  a:\n    run: x {job}"));
    }
}
