//! Commands, through a real shell, with values that are meant to break out.

use std::collections::BTreeMap;
use std::process::Command;

use proptest::prelude::*;

use super::super::{Context, Pipeline, ShellCommand, Value, prepare, read};

fn pipeline(script: &str) -> Pipeline {
    let indented = script.replace('\n', "\n      ");
    let text = format!("name: p\nparams: {{ x: {{ type: str }} }}\njobs:\n  a:\n    run: |\n      {indented}\n");
    read(&text).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

fn command(script: &str) -> ShellCommand {
    prepare(pipeline(script).jobs[0].command().unwrap()).unwrap()
}

/// What a real shell prints.
fn printed(script: &str, value: &str) -> String {
    let command = command(script);
    let context =
        Context { params: BTreeMap::from([("x".to_owned(), Value::Text(value.to_owned()))]), ..Context::default() };
    let output = Command::new("sh")
        .args(["-c", &command.script])
        .envs(command.environment(&context).unwrap())
        .env("Q", "q")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", command.script, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const HOSTILE: &[&str] = &[
    "; echo broken",
    "$(echo broken)",
    "`echo broken`",
    "' ; echo broken '",
    "\" ; echo broken \"",
    "* ?",
    "a  b",
    "\\",
    "-n",
    "\n echo broken",
    "${Q}",
    "$Q",
    "| cat",
    "&& echo broken",
    "#",
    "ä ☃",
];

/// Places where a value may stand; each prints the value between angle brackets and nothing else.
const PLACES: &[&str] = &[
    "printf '<%s>' ${{ params.x }}",
    "printf '<%s>' \"${{ params.x }}\"",
    "printf '%s' \"<${{ params.x }}>\"",
    "printf '%s' '<'${{ params.x }}'>'",
    "printf '<%s>' \"$(printf '%s.' ${{ params.x }} | sed '$s/\\.$//')\"",
    "printf '<%s>' \"$(printf '%s.' \"${{ params.x }}\" | sed '$s/\\.$//')\"",
    "# don't ${{ params.x }}\nprintf '<%s>' ${{ params.x }}",
    "V=${{ params.x }}\nprintf '<%s>' \"$V\"",
    "cat <<'END' >/dev/null\nit's \" text\nEND\nprintf '<%s>' ${{ params.x }}",
    "(printf '<%s>' ${{ params.x }})",
    "sh -c 'printf \"<%s>\" \"$1\"' sh ${{ params.x }}",
    "printf '<%s>' \"${NONE:-${{ params.x }}}\"",
];

#[test]
fn hostile_values_reach_the_command_as_they_are() {
    for place in PLACES {
        for value in HOSTILE {
            assert_eq!(printed(place, value), format!("<{value}>"), "{place} with {value:?}");
        }
    }
}

#[test]
fn a_command_reads_variables_and_holds_no_value() {
    let command = command("echo ${{ params.x }} \"a ${{ params.x }}\" ${{ params.x == 'b' }}");
    assert_eq!(command.script.trim_end(), "echo \"${LATHE_X1}\" \"a ${LATHE_X1}\" \"${LATHE_X2}\"");
    let names: Vec<_> = command.variables.iter().map(|(name, value)| (name.as_str(), value.source.as_str())).collect();
    assert_eq!(names, [("LATHE_X1", "params.x"), ("LATHE_X2", "params.x == 'b'")]);
}

#[test]
fn places_where_a_value_would_be_code_are_refused() {
    for script in [
        "echo '${{ params.x }}'",
        "echo \\${{ params.x }}",
        "echo \"\\${{ params.x }}\"",
        "echo `echo ${{ params.x }}`",
        "echo $((1 + ${{ params.x }}))",
        "cat <<END\n${{ params.x }}\nEND",
        "python - <<'END'\nprint(\"${{ params.x }}\")\nEND",
        "sh -c \"echo ${{ params.x }}\"",
        "A=1 /usr/bin/python3 -u -c \"print(${{ params.x }})\"",
        "true; bash -ec ${{ params.x }}",
        "eval echo ${{ params.x }}",
    ] {
        let indented = script.replace('\n', "\n      ");
        let text = format!("name: p\nparams: {{ x: {{ type: str }} }}\njobs:\n  a:\n    run: |\n      {indented}\n");
        let found = read(&text).err().unwrap_or_default();
        assert_eq!(found.iter().map(|mistake| mistake.code).collect::<Vec<_>>(), ["quoting"], "{script}");
        let place = text.lines().nth(found[0].at.line - 1).unwrap();
        let rest: String = place.chars().skip(found[0].at.column - 1).collect();
        assert!(rest.starts_with("params.x"), "{script}: {rest}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_value_reaches_the_command_as_it_is(value in "[^\u{0}]{0,40}", place in prop::sample::select(PLACES)) {
        // `$( )` takes line breaks off the end, whatever the value.
        prop_assume!(!value.ends_with('\n'));
        prop_assume!(!value.is_empty() || !place.contains("NONE"));
        prop_assert_eq!(printed(place, &value), format!("<{value}>"));
    }
}
