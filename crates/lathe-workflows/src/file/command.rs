//! Commands: values reach the shell as environment variables, never as text that it reads as code.
//!
//! Branch names, commit messages and matrix values are other people's input. So `${{ … }}` becomes a reference to a variable,
//! quoted as its place demands; a place where that is not possible is a mistake of the file.

mod interpreters;

use self::interpreters::HERE_STRING;
use super::diagnostic::Diagnostic;
use super::expression::{Context, EvaluationError, Expression};
use super::text::{Part, Text};

/// A command for `sh -c`, and the variables that it reads.
#[derive(Debug, Clone, PartialEq)]
pub struct ShellCommand {
    /// The shell's text.
    pub script: String,
    /// The names of variables and what they hold.
    pub variables: Vec<(String, Expression)>,
}

impl ShellCommand {
    /// The variables with their values.
    ///
    /// # Errors
    /// When an expression has no value.
    pub fn environment(&self, context: &Context) -> Result<Vec<(String, String)>, EvaluationError> {
        self.variables.iter().map(|(name, expression)| Ok((name.clone(), expression.evaluate_text(context)?))).collect()
    }
}

/// Turns a command into shell text that reads the values of its expressions from variables `LATHE_X1`, `LATHE_X2`, ….
///
/// # Errors
/// Each expression that stands where a variable would not be read, or would be read as code.
pub fn prepare(command: &Text) -> Result<ShellCommand, Vec<Diagnostic>> {
    let mut shell = Shell::default();
    let mut variables: Vec<(String, Expression)> = Vec::new();
    let mut mistakes = Vec::new();
    for part in &command.parts {
        let expression = match part {
            Part::Literal(text) => {
                text.chars().for_each(|c| shell.read(c));
                continue;
            }
            Part::Expression(expression) => expression,
        };
        let known = variables.iter().position(|(_, other)| other.source == expression.source);
        let number = known.unwrap_or(variables.len()) + 1;
        let name = format!("LATHE_X{number}");
        if let Err(why) = shell.insert(&name) {
            let length = expression.source.chars().count();
            mistakes.push(Diagnostic::new("quoting", why, expression.at).over(length));
        }
        if known.is_none() {
            variables.push((name, expression.clone()));
        }
    }
    if mistakes.is_empty() { Ok(ShellCommand { script: shell.script, variables }) } else { Err(mistakes) }
}

/// How the shell reads what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    Single,
    Double,
    Comment,
    Backtick,
    /// `$((…))`
    Arithmetic,
    /// The body of a here-document.
    Document,
}

/// Follows the shell's quoting along a command.
struct Shell {
    script: String,
    /// The modes that are open; the last is the one at work.
    modes: Vec<Mode>,
    is_escaped: bool,
    /// The delimiters of here-documents whose bodies follow.
    documents: Vec<String>,
    /// The delimiter that is being read, behind `<<`.
    delimiter: Option<String>,
    /// The line so far.
    line: String,
    /// The simple commands that are open, each within a word of the one before: one for each mode in which commands are read.
    commands: Vec<SimpleCommand>,
}

/// A simple command so far.
#[derive(Default)]
struct SimpleCommand {
    /// Its words, without quotes.
    words: Vec<String>,
    /// The word at work; what a variable holds stands as `$`.
    word: String,
    /// Whether what it prints becomes part of the word before: `$(…)`.
    is_substitution: bool,
}

impl Default for Shell {
    fn default() -> Self {
        Self {
            script: String::new(),
            modes: vec![Mode::Plain],
            is_escaped: false,
            documents: Vec::new(),
            delimiter: None,
            line: String::new(),
            commands: vec![SimpleCommand::default()],
        }
    }
}

impl Shell {
    fn mode(&self) -> Mode {
        self.modes.last().copied().unwrap_or(Mode::Plain)
    }

    /// Puts a variable here, or says why it cannot stand here.
    fn insert(&mut self, name: &str) -> Result<(), String> {
        if self.is_escaped {
            return Err("a backslash before `${{ }}` would quote it; remove the backslash".to_owned());
        }
        let within_backticks = self.modes.contains(&Mode::Backtick);
        match self.mode() {
            Mode::Single => Err("inside of single quotes the value would not be read; use double quotes".to_owned()),
            Mode::Arithmetic => {
                Err("inside of `$(( ))` the value would be read as code; give it to a variable first".to_owned())
            }
            Mode::Document => Err(
                "inside of a here-document the value would be read as code; set it in `env.variables` and read that"
                    .to_owned(),
            ),
            _ if within_backticks => Err("inside of backticks quotes are unclear; use `$( )`".to_owned()),
            _ if self.delimiter.is_some() => Err("a here-document's delimiter cannot be a value".to_owned()),
            _ if self.is_code() => Err(
                "here the value would be read as code; set it in `env.variables` and let the code read that variable"
                    .to_owned(),
            ),
            Mode::Double | Mode::Comment => self.push(&format!("${{{name}}}")),
            Mode::Plain | Mode::Backtick => self.push(&format!("\"${{{name}}}\"")),
        }
    }

    fn push(&mut self, reference: &str) -> Result<(), String> {
        self.script.push_str(reference);
        self.add('$');
        self.line.push('x');
        Ok(())
    }

    /// Whether the word at work, or one in which its command stands, is a program for an interpreter: `eval …`, `sh -c …`, `python -c …`.
    fn is_code(&self) -> bool {
        self.commands.iter().any(|command| interpreters::is_program(&command.words, &command.word))
    }

    /// Adds to the word at work.
    fn add(&mut self, c: char) {
        if let Some(command) = self.commands.last_mut() {
            command.word.push(c);
        }
    }

    fn word(&self) -> &str {
        self.commands.last().map_or("", |command| &command.word)
    }

    fn read(&mut self, c: char) {
        self.script.push(c);
        if self.is_escaped {
            self.is_escaped = false;
            if c != '\n' {
                self.add(c);
            }
            self.line.push(c);
            return;
        }
        match self.mode() {
            Mode::Document => self.read_document(c),
            Mode::Comment if c == '\n' => {
                self.modes.pop();
                self.end_line();
            }
            Mode::Comment => {}
            Mode::Single if c == '\'' => self.close(),
            Mode::Single => self.add(c),
            Mode::Double => self.read_double(c),
            Mode::Backtick if c == '`' => self.close(),
            Mode::Plain | Mode::Backtick | Mode::Arithmetic => self.read_plain(c),
        }
        if c != '\n' {
            self.line.push(c);
        }
    }

    /// Begins a mode in which commands are read.
    fn open(&mut self, mode: Mode) {
        let is_substitution = mode == Mode::Backtick || self.line.ends_with(['$', '<', '>', '=']);
        if is_substitution {
            // It is no end of a word.
            self.add('(');
        } else {
            self.end_command();
        }
        self.modes.push(mode);
        self.commands.push(SimpleCommand { is_substitution, ..SimpleCommand::default() });
    }

    fn close(&mut self) {
        let closed = self.modes.pop();
        if matches!(closed, Some(Mode::Plain | Mode::Backtick | Mode::Arithmetic)) {
            let closed = self.commands.pop();
            if closed.is_some_and(|closed| !closed.is_substitution) {
                self.end_command();
            }
        }
    }

    fn read_double(&mut self, c: char) {
        match c {
            '\\' => self.is_escaped = true,
            '"' => self.close(),
            '`' => self.open(Mode::Backtick),
            '(' if self.line.ends_with('$') => self.open(Mode::Plain),
            _ => self.add(c),
        }
    }

    fn read_plain(&mut self, c: char) {
        if self.read_delimiter(c) {
            return;
        }
        match c {
            '\\' => self.is_escaped = true,
            '\'' => self.modes.push(Mode::Single),
            '"' => self.modes.push(Mode::Double),
            '`' => self.open(Mode::Backtick),
            '#' if self.word().is_empty() && self.line.chars().last().is_none_or(|last| " \t;&|(".contains(last)) => {
                self.modes.push(Mode::Comment);
            }
            '(' => {
                let is_arithmetic = self.line.ends_with("$(") || self.mode() == Mode::Arithmetic;
                self.open(if is_arithmetic { Mode::Arithmetic } else { Mode::Plain });
            }
            // Behind a pattern of `case`, and where it is no end of anything, a command begins.
            ')' if self.modes.len() > 1 => self.close(),
            ')' => self.end_command(),
            '<' if self.line.ends_with("<<") => {
                self.delimiter = None;
                HERE_STRING.chars().for_each(|c| self.add(c));
            }
            '<' if self.line.ends_with('<') && self.mode() != Mode::Arithmetic => {
                self.delimiter = Some(String::new());
                if let Some(command) = self.commands.last_mut() {
                    command.word.clear();
                }
            }
            '<' | '>' => {
                // Behind a number, and behind another of them, it belongs to that.
                if self.word().contains(|c: char| !c.is_ascii_digit() && !"<>&".contains(c)) {
                    self.end_word();
                }
                self.add(c);
            }
            '&' if self.line.ends_with(['<', '>']) => self.add(c),
            '\n' => self.end_line(),
            ';' | '&' | '|' => self.end_command(),
            ' ' | '\t' => self.end_word(),
            _ => self.add(c),
        }
    }

    /// Reads the delimiter behind `<<`; answers whether the character belonged to it.
    fn read_delimiter(&mut self, c: char) -> bool {
        let Some(delimiter) = &mut self.delimiter else { return false };
        match c {
            ' ' | '\t' if delimiter.is_empty() => true,
            '-' if delimiter.is_empty() => true,
            '<' if delimiter.is_empty() => false,
            '\'' | '"' | '\\' => true,
            c if c.is_whitespace() || ";&|()<>".contains(c) => {
                let delimiter = std::mem::take(delimiter);
                self.delimiter = None;
                self.documents.push(delimiter);
                false
            }
            c => {
                delimiter.push(c);
                true
            }
        }
    }

    fn end_word(&mut self) {
        if let Some(command) = self.commands.last_mut().filter(|command| !command.word.is_empty()) {
            let word = std::mem::take(&mut command.word);
            command.words.push(word);
        }
    }

    fn end_command(&mut self) {
        if let Some(command) = self.commands.last_mut() {
            command.word.clear();
            command.words.clear();
        }
    }

    fn end_line(&mut self) {
        self.end_command();
        self.line.clear();
        if !self.documents.is_empty() {
            self.modes.push(Mode::Document);
        }
    }

    fn read_document(&mut self, c: char) {
        if c != '\n' {
            return;
        }
        if self.documents.first().is_some_and(|end| self.line.trim_start_matches('\t') == end) {
            self.documents.remove(0);
            if self.documents.is_empty() {
                self.close();
            }
        }
        self.line.clear();
    }
}
