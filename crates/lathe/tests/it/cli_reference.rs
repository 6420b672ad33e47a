//! `docs/reference/cli.md` is what the program says of itself.
//!
//! After a change of commands or flags: `UPDATE_DOCS=1 cargo test -p lathe --test it cli_reference`.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command};

const MARKER: &str = "<!-- What follows is written by the test cli_reference from the program's own help. -->\n";
/// Said once, in the page's own words.
const COMMON: [&str; 2] = ["Output", "Server"];

fn synopsis(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default();
    let many =
        if arg.get_num_args().is_some_and(|count| count.max_values() > 1) && arg.is_positional() { "…" } else { "" };
    let values = values.iter().map(|name| format!("{name}{many}")).collect::<Vec<_>>().join(" ");
    if arg.is_last_set() {
        return format!("-- {values}");
    }
    let takes_value = arg.get_action().takes_values();
    match (arg.get_short(), arg.get_long()) {
        (_, None) if arg.is_required_set() => values,
        (_, None) => format!("[{values}]"),
        (short, Some(long)) => {
            let short = short.map(|short| format!("-{short}, ")).unwrap_or_default();
            if takes_value { format!("{short}--{long} {values}") } else { format!("{short}--{long}") }
        }
    }
}

fn row(arg: &Arg) -> String {
    let mut what = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<_> = if arg.is_hide_possible_values_set() || !arg.get_action().takes_values() {
        Vec::new()
    } else {
        arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect()
    };
    if !values.is_empty() {
        let _ = write!(what, ": {}", values.join(", "));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if arg.get_action().takes_values() && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        let _ = write!(what, " [default: {}]", defaults.join(","));
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(what, " [variable: `{}`]", variable.to_string_lossy());
    }
    format!("| `{}` | {} |\n", synopsis(arg), what.replace('|', "\\|"))
}

fn describe(command: &Command, path: &str, page: &mut String) {
    let own = |arg: &&Arg| {
        !arg.is_hide_set()
            && arg.get_help_heading().is_none_or(|heading| !COMMON.contains(&heading))
            && !matches!(arg.get_long(), Some("help" | "version"))
    };
    let rows: String = command.get_arguments().filter(own).map(row).collect();
    // A command of subcommands that does something by itself is described before them.
    if !rows.is_empty() || !command.has_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = write!(page, "\n## `{path}`\n\n{about}.\n");
        if !rows.is_empty() {
            let _ = write!(page, "\n| | |\n| --- | --- |\n{rows}");
        }
        if let Some(examples) = command.get_after_help() {
            let _ = write!(page, "\n```\n{examples}\n```\n");
        }
    }
    let shown = |subcommand: &&Command| !subcommand.is_hide_set() && subcommand.get_name() != "help";
    for subcommand in command.get_subcommands().filter(shown) {
        describe(subcommand, &format!("{path} {}", subcommand.get_name()), page);
    }
}

#[test]
fn the_reference_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, written) = page.split_once(MARKER).expect("the page has its marker");
    let mut expected = String::new();
    let mut command = lathe::cli::command();
    command.build();
    describe(&command, "lathe", &mut expected);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{MARKER}{expected}")).unwrap();
        return;
    }
    assert_eq!(written, expected, "rewrite it: UPDATE_DOCS=1 cargo test -p lathe --test it cli_reference");
}
