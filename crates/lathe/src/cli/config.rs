//! Settings from files: `./lathe.toml`, and below it the user's own `lathe/config.toml`.
//!
//! A setting is the default of the flag that has the same name as a variable: `LATHE_DATA_DIR` is `data_dir`. So flags win over
//! variables, those over `./lathe.toml`, and that over the user's file, for every command alike.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::builder::{OsStr, Resettable};
use clap::{Arg, Command};
use lathe_core::{Error, Result};
use toml::{Table, Value};

const PROJECT_FILE: &str = "lathe.toml";
const PREFIX: &str = "LATHE_";
/// Secrets have a file of their own, which nobody puts under version control by mistake.
const NOT_IN_FILES: [&str; 1] = ["token"];

/// The folder of the user's own settings.
pub fn user_folder() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = set.or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
    Some(folder.join("lathe"))
}

/// The command with the files' settings as defaults.
///
/// # Errors
/// `InvalidArgument` for a file that cannot be read, a setting that does not exist, or a value that its flag refuses.
pub fn apply(command: Command) -> Result<Command> {
    let mut settings = BTreeMap::new();
    // The later file wins.
    let user_file = user_folder().map(|folder| folder.join("config.toml"));
    if let Some(path) = user_file {
        read_into(&path, &command, &mut settings)?;
    }
    let mut project = BTreeMap::new();
    read_into(Path::new(PROJECT_FILE), &command, &mut project)?;
    if let Some(server) = project.get("url").and_then(|values| values.first()) {
        keep_token(&server.to_string_lossy())?;
    }
    settings.extend(project);
    Ok(with_defaults(command, &settings))
}

/// A folder of somebody else may hold a `lathe.toml`: it must not decide where a token from the environment goes.
fn keep_token(server: &str) -> Result<()> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_chosen = is_set("LATHE_URL") || std::env::args().any(|word| word == "--url" || word.starts_with("--url="));
    if is_chosen || !is_set("LATHE_TOKEN") {
        return Ok(());
    }
    Err(Error::invalid(format!("./{PROJECT_FILE} names the server {server}, and LATHE_TOKEN would be sent there"))
        .with_hint("set LATHE_URL to the server that the token is for, or unset LATHE_TOKEN and use lathe login"))
}

fn read_into(path: &Path, command: &Command, settings: &mut BTreeMap<String, Vec<OsStr>>) -> Result<()> {
    let wrong = |what: String| Error::invalid(format!("{}: {what}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(wrong(format!("cannot be read: {error}"))),
    };
    let table: Table = text.parse().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
    let mut flags = BTreeMap::new();
    collect_flags(command, &mut flags);
    for (key, value) in table {
        let Some(flag) = flags.get(&key) else {
            let known = flags.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(wrong(format!("`{key}` is no setting")).with_hint(format!("settings are: {known}")));
        };
        let texts = texts(&value)
            .ok_or_else(|| wrong(format!("`{key}` must be a text, a number, true or false, or a list")))?;
        check(flag, &texts).map_err(|cause| wrong(format!("`{key}`: {cause}")))?;
        settings.insert(key, texts.into_iter().map(OsStr::from).collect());
    }
    Ok(())
}

/// The setting's name of a flag that files may set.
fn setting(flag: &Arg) -> Option<String> {
    let variable = flag.get_env()?.to_str()?;
    let key = variable.strip_prefix(PREFIX)?.to_lowercase();
    (flag.get_long().is_some() && !NOT_IN_FILES.contains(&key.as_str())).then_some(key)
}

fn collect_flags(command: &Command, flags: &mut BTreeMap<String, Arg>) {
    for flag in command.get_arguments() {
        if let Some(key) = setting(flag) {
            flags.entry(key).or_insert_with(|| flag.clone());
        }
    }
    for subcommand in command.get_subcommands() {
        collect_flags(subcommand, flags);
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(number) => Some(vec![number.to_string()]),
        Value::Boolean(flag) => Some(vec![flag.to_string()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        Value::Float(_) | Value::Datetime(_) | Value::Table(_) => None,
    }
}

/// Whether the flag takes these values: asked of a command that has this flag only.
fn check(flag: &Arg, texts: &[String]) -> std::result::Result<(), String> {
    let takes_value = flag.get_action().takes_values();
    if !takes_value {
        return match texts {
            [text] if text == "true" || text == "false" => Ok(()),
            _ => Err("must be true or false".to_owned()),
        };
    }
    let long = flag.get_long().unwrap_or_default();
    let trial = Command::new("lathe").no_binary_name(true).arg(flag.clone().env(Resettable::Reset).required(false));
    match trial.try_get_matches_from(texts.iter().map(|text| format!("--{long}={text}"))) {
        Ok(_) => Ok(()),
        Err(error) => {
            let said = error.to_string();
            let line = said.lines().next().unwrap_or_default();
            Err(line.trim_start_matches("error: ").to_owned())
        }
    }
}

fn with_defaults(command: Command, settings: &BTreeMap<String, Vec<OsStr>>) -> Command {
    if settings.is_empty() {
        return command;
    }
    command
        .mut_args(|flag| match setting(&flag).and_then(|key| settings.get(&key)) {
            Some(values) => {
                let is_secret = flag.is_hide_env_values_set();
                flag.default_values(values.clone()).hide_default_value(is_secret)
            }
            None => flag,
        })
        .mut_subcommands(|subcommand| with_defaults(subcommand, settings))
}
