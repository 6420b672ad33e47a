//! Which word of a simple command is a program for an interpreter: the text of `sh -c`, `python -c`, `eval`, `ssh host …`.
//!
//! Interpreters are known by name, wherever they stand (`sudo sh -c`, `find -exec sh -c`). Where it is not clear whether a word is a program,
//! it is taken for one: what is refused can be written with a variable.

use std::ops::Range;

/// How an interpreter is told its program.
struct Interpreter {
    /// Its names; a version may follow (`python3.11`).
    names: &'static [&'static str],
    /// Short options whose argument is a program.
    code: &'static str,
    /// The same as long options.
    long: &'static [&'static str],
    /// Short options whose argument is something else.
    takes: &'static str,
    /// Short options behind which everything is for the program that they name.
    ends: &'static str,
    /// Which operands are programs.
    operands: Range<usize>,
    /// Whether options may follow operands.
    permutes: bool,
    /// Whether an option's argument is always the next word, never the rest of this one.
    is_shell: bool,
}

const NOTHING: Interpreter = Interpreter {
    names: &[],
    code: "",
    long: &[],
    takes: "",
    ends: "",
    operands: 0..0,
    permutes: false,
    is_shell: false,
};

const INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        names: &["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "rbash"],
        code: "c",
        long: &["command", "init-command"],
        takes: "oO",
        is_shell: true,
        ..NOTHING
    },
    Interpreter { names: &["python", "pypy", "ipython"], code: "c", takes: "WX", ends: "m", ..NOTHING },
    Interpreter { names: &["perl"], code: "eE", takes: "IMm", ..NOTHING },
    Interpreter { names: &["ruby"], code: "e", takes: "IrCE", ..NOTHING },
    Interpreter { names: &["node", "nodejs", "bun"], code: "ep", long: &["eval", "print"], takes: "rC", ..NOTHING },
    Interpreter {
        names: &["php"],
        code: "rBRE",
        long: &["run", "process-begin", "process-code", "process-end"],
        takes: "cdz",
        ends: "fF",
        ..NOTHING
    },
    Interpreter { names: &["R", "Rscript"], code: "e", takes: "fg", ..NOTHING },
    Interpreter { names: &["julia"], code: "eE", long: &["eval", "print"], takes: "JLptCH", ..NOTHING },
    Interpreter { names: &["lua", "luajit"], code: "e", takes: "l", ..NOTHING },
    Interpreter { names: &["pwsh"], code: "c", long: &["Command", "command"], ..NOTHING },
    Interpreter {
        names: &["awk", "gawk", "mawk", "nawk"],
        code: "e",
        takes: "Fv",
        ends: "f",
        operands: 0..1,
        ..NOTHING
    },
    Interpreter {
        names: &["su", "runuser", "flock", "script"],
        code: "c",
        long: &["command", "session-command"],
        permutes: true,
        ..NOTHING
    },
    Interpreter { names: &["env"], code: "S", long: &["split-string"], takes: "uC", ..NOTHING },
    Interpreter { names: &["trap"], operands: 0..1, ..NOTHING },
    Interpreter { names: &["eval", "alias", "parallel"], operands: 0..usize::MAX, ..NOTHING },
    Interpreter { names: &["watch"], takes: "n", operands: 0..usize::MAX, ..NOTHING },
    Interpreter { names: &["ssh"], takes: "BbcDEeFIiJLlmOopQRSWw", operands: 1..usize::MAX, ..NOTHING },
];

/// A program that only a variable names: most often `$PYTHON` or `$SHELL`.
const UNNAMED: Interpreter = Interpreter { code: "c", takes: "WXoO", ends: "m", ..NOTHING };

/// What may stand before the name of the program that is started.
const FRONT: &[&str] = &[
    "if", "then", "elif", "else", "while", "until", "do", "{", "!", "time", "exec", "command", "builtin", "sudo",
    "doas", "env", "nohup", "nice", "ionice", "setsid", "stdbuf", "timeout", "xargs", "busybox",
];

/// What starts a program in the middle of another one's words.
const STARTERS: &[&str] = &["-exec", "-execdir", "-ok", "-okdir"];

/// What a shell's `<<<` begins a word with.
pub(super) const HERE_STRING: &str = "<<<";

/// Whether a word that begins with `word`, behind `words`, is a program. In both, what a variable holds stands as `$`.
pub(super) fn is_program(words: &[String], word: &str) -> bool {
    words.iter().enumerate().any(|(at, name)| {
        let (before, behind) = (words.get(..at).unwrap_or_default(), words.get(at + 1..).unwrap_or_default());
        interpreters(name, is_started(before)).any(|interpreter| interpreter.reads(behind, word))
    })
}

/// What a word may be the name of. A word that reads its operands counts only where a program is started: others have commands of these names.
fn interpreters(word: &str, is_started: bool) -> impl Iterator<Item = &'static Interpreter> {
    let name = word.rsplit('/').next().unwrap_or_default();
    let named = INTERPRETERS.iter().filter(move |interpreter| interpreter.is_called(name));
    let named = named.filter(move |interpreter| is_started || interpreter.operands.is_empty());
    named.chain((is_started && word.starts_with('$')).then_some(&UNNAMED))
}

/// Whether a program is started behind these words.
fn is_started(before: &[String]) -> bool {
    let begin = before.iter().rposition(|word| STARTERS.contains(&word.as_str())).map_or(0, |at| at + 1);
    let before = before.get(begin..).unwrap_or_default();
    before.iter().enumerate().all(|(at, word)| {
        let is_argument = at.checked_sub(1).and_then(|at| before.get(at)).is_some_and(|last| last.starts_with('-'));
        let name = word.rsplit('/').next().unwrap_or_default();
        let is_number = word.starts_with(|c: char| c.is_ascii_digit());
        is_argument || is_number || FRONT.contains(&name) || word.starts_with('-') || word.contains('=')
    })
}

impl Interpreter {
    fn is_called(&self, name: &str) -> bool {
        // Such as `3.11`, and `3.13t` for another build of it.
        let is_version = |rest: &str| {
            rest.trim_end_matches(['d', 'm', 't']).chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-'))
        };
        self.names.iter().any(|known| name.strip_prefix(known).is_some_and(is_version))
    }

    /// Whether the word at work, behind these words of the interpreter's own, is a program.
    fn reads(&self, words: &[String], word: &str) -> bool {
        let (mut is_awaited, mut argument, mut operands) = (false, Argument::None, 0);
        let mut words = words.iter();
        while let Some(one) = words.next() {
            if let Some(redirection) = redirection(one) {
                if redirection == HERE_STRING {
                    is_awaited |= self.reads_input(operands);
                } else if redirection.ends_with(['<', '>', '&']) {
                    words.next();
                }
                continue;
            }
            let before = std::mem::take(&mut argument);
            if before == Argument::Certain {
                continue;
            }
            match self.option(one) {
                Some(Found { is_end: true, .. }) => return false,
                Some(found) => {
                    is_awaited |= found.awaits_program;
                    argument = found.argument;
                }
                None if is_awaited => is_awaited = false,
                None if before == Argument::Perhaps && self.operands.is_empty() => {}
                None => {
                    operands += 1;
                    if operands >= self.operands.end && !self.permutes {
                        return false;
                    }
                }
            }
        }
        if argument == Argument::Certain {
            return false;
        }
        if is_awaited {
            return true;
        }
        if word.starts_with(HERE_STRING) {
            return self.reads_input(operands);
        }
        if word.len() > 1 && word.starts_with('-') { self.is_joined(word) } else { self.operands.contains(&operands) }
    }

    /// Whether its program comes from its standard input, when it was given so many operands.
    fn reads_input(&self, operands: usize) -> bool {
        operands == 0 && !self.code.is_empty() && self.operands.is_empty()
    }

    /// What an option says of the words that follow; `None` for a word that is none.
    fn option(&self, word: &str) -> Option<Found> {
        if let Some(long) = word.strip_prefix("--") {
            let awaits_program = self.long.contains(&long);
            let is_known = awaits_program || long.is_empty() || long.contains('=');
            let argument = if is_known { Argument::None } else { Argument::Perhaps };
            return Some(Found { awaits_program, argument, is_end: false });
        }
        let letters = word.strip_prefix('-').or_else(|| word.strip_prefix('+').filter(|_| self.is_shell))?;
        if self.is_shell {
            let has_any = |of: &str| letters.contains(|c| of.contains(c));
            let argument = if has_any(self.takes) { Argument::Certain } else { Argument::None };
            return Some(Found { awaits_program: has_any(self.code), argument, is_end: false });
        }
        if letters.is_empty() {
            return None;
        }
        if self.long.contains(&letters) {
            return Some(Found { awaits_program: true, ..Found::default() });
        }
        // What follows the letter of an option that has an argument is that argument.
        let Some((letter, at)) = self.first_with_argument(letters) else { return Some(Found::default()) };
        let is_last = at + letter.len_utf8() == letters.len();
        let awaits_program = is_last && self.code.contains(letter);
        let argument = if is_last && self.takes.contains(letter) { Argument::Certain } else { Argument::None };
        Some(Found { awaits_program, argument, is_end: self.ends.contains(letter) })
    }

    fn first_with_argument(&self, letters: &str) -> Option<(char, usize)> {
        let has_argument = |c: &char| [self.code, self.takes, self.ends].iter().any(|of| of.contains(*c));
        letters.char_indices().map(|(at, c)| (c, at)).find(|(c, _)| has_argument(c))
    }

    /// Whether the rest of an option's own word is a program: `-c…`, `--eval=…`.
    fn is_joined(&self, word: &str) -> bool {
        if let Some(long) = word.strip_prefix("--") {
            return long.split_once('=').is_some_and(|(name, _)| self.long.contains(&name));
        }
        self.first_with_argument(word.trim_start_matches('-')).is_some_and(|(letter, _)| self.code.contains(letter))
    }
}

/// Whether an option has an argument that is no program, in the next word.
#[derive(Default, PartialEq, Eq)]
enum Argument {
    #[default]
    None,
    Certain,
    /// The option is not known.
    Perhaps,
}

/// What an option says.
#[derive(Default)]
struct Found {
    /// A program follows.
    awaits_program: bool,
    argument: Argument,
    /// What follows is not for the interpreter.
    is_end: bool,
}

/// A redirection without the number before it.
fn redirection(word: &str) -> Option<&str> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.starts_with(['<', '>']).then_some(rest)
}
