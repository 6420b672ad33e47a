//! Which word of a simple command is a program for an interpreter: the text of `sh -c`, `python -c`, `eval`, `ssh host …`.
//!
//! Interpreters are known by name, wherever they stand (`sudo sh -c`, `find -exec sh -c`). Where it is not clear whether a word is a program,
//! it is taken for one: what is refused can be written with a variable. So is what stands behind a long option that nobody knows here: it may
//! have an argument, or none.

use std::ops::Range;

/// How an interpreter is told its program.
struct Interpreter {
    names: &'static [&'static str],
    /// Whether a version may follow its name wherever that stands (`python3.11`). Behind others one may follow where a program is started:
    /// `node1` is a machine elsewhere.
    is_versioned: bool,
    /// Whether people give its name to programs of their own: it counts only where a program is started, and not as `./script`.
    is_common: bool,
    /// Short options whose argument is a program.
    code: &'static str,
    /// The same as long options.
    long: &'static [&'static str],
    /// Short options whose argument is something else.
    takes: &'static str,
    /// The same as long options.
    long_takes: &'static [&'static str],
    /// Long options without an argument, and those whose argument ends the options as an operand does.
    flags: &'static [&'static str],
    /// Short options behind which everything is for the program that they name.
    ends: &'static str,
    /// Short options that name a file with the program: then no operand is one.
    files: &'static str,
    /// The same as long options.
    long_files: &'static [&'static str],
    /// Which operands are programs.
    operands: Range<usize>,
    /// Behind how many operands options may stand.
    leading: usize,
    /// Whether what follows its program is for that.
    is_single: bool,
    /// Whether an option's argument is always the next word, never the rest of this one.
    is_shell: bool,
    /// Whether its options are whole words behind one dash, which may be shortened, and everything behind the one for a program is that.
    is_powershell: bool,
}

const NOTHING: Interpreter = Interpreter {
    names: &[],
    is_versioned: false,
    is_common: false,
    code: "",
    long: &[],
    takes: "",
    long_takes: &[],
    flags: &[],
    ends: "",
    files: "",
    long_files: &[],
    operands: 0..0,
    leading: 0,
    is_single: false,
    is_shell: false,
    is_powershell: false,
};

const SHELL_FLAGS: &[&str] = &[
    "login",
    "norc",
    "noprofile",
    "noediting",
    "posix",
    "restricted",
    "verbose",
    "debug",
    "debugger",
    "no-rcs",
    "no-global-rcs",
    "version",
    "help",
];

const INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        names: &["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "rbash"],
        code: "c",
        long: &["command"],
        takes: "oO",
        long_takes: &["rcfile", "init-file", "emulate"],
        flags: SHELL_FLAGS,
        is_single: true,
        is_shell: true,
        ..NOTHING
    },
    Interpreter {
        names: &["fish"],
        code: "cC",
        long: &["command", "init-command"],
        takes: "dDfop",
        long_takes: &["debug", "debug-output", "debug-stack-frames", "features", "profile", "profile-startup"],
        flags: &["interactive", "login", "no-config", "no-execute", "private", "version", "help"],
        ..NOTHING
    },
    Interpreter {
        names: &["python", "pypy"],
        is_versioned: true,
        code: "c",
        takes: "WX",
        long_takes: &["check-hash-based-pycs"],
        flags: &["version", "help"],
        ends: "m",
        is_single: true,
        ..NOTHING
    },
    Interpreter {
        names: &["ipython"],
        is_versioned: true,
        code: "c",
        flags: &[
            "quick",
            "classic",
            "nosep",
            "debug",
            "quiet",
            "pdb",
            "no-pdb",
            "banner",
            "no-banner",
            "no-confirm-exit",
            "simple-prompt",
            "no-simple-prompt",
        ],
        ends: "m",
        is_single: true,
        ..NOTHING
    },
    Interpreter { names: &["perl"], code: "eE", takes: "IMm", ..NOTHING },
    Interpreter {
        names: &["ruby"],
        is_versioned: true,
        code: "e",
        takes: "IrCE",
        long_takes: &[
            "encoding",
            "external-encoding",
            "internal-encoding",
            "enable",
            "disable",
            "backtrace-limit",
            "parser",
        ],
        flags: &["disable-gems", "disable-all", "jit", "yjit", "rjit", "debug", "verbose", "version", "help"],
        ..NOTHING
    },
    Interpreter {
        names: &["node", "nodejs"],
        code: "ep",
        long: &["eval", "print"],
        takes: "rC",
        long_takes: &[
            "require",
            "import",
            "loader",
            "experimental-loader",
            "conditions",
            "env-file",
            "input-type",
            "title",
            "max-old-space-size",
        ],
        flags: &[
            "no-warnings",
            "no-deprecation",
            "trace-warnings",
            "trace-deprecation",
            "trace-uncaught",
            "throw-deprecation",
            "enable-source-maps",
            "experimental-modules",
            "experimental-vm-modules",
            "experimental-strip-types",
            "experimental-transform-types",
            "preserve-symlinks",
            "expose-gc",
            "inspect",
            "inspect-brk",
            "prof",
            "cpu-prof",
            "heap-prof",
            "check",
            "interactive",
            "watch",
            "test",
            "permission",
            "use-openssl-ca",
            "use-system-ca",
            "version",
            "help",
        ],
        // `-pe` is `-p -e`.
        is_shell: true,
        ..NOTHING
    },
    Interpreter {
        names: &["bun"],
        code: "ep",
        long: &["eval", "print"],
        takes: "rcdlF",
        long_takes: &["require", "import", "preload", "cwd", "config", "env-file", "conditions", "define", "loader"],
        flags: &["bun", "hot", "watch", "smol", "silent", "inspect", "expose-gc", "no-install", "version", "help"],
        ..NOTHING
    },
    Interpreter {
        names: &["php"],
        is_versioned: true,
        code: "rBRE",
        long: &["run", "process-begin", "process-code", "process-end"],
        takes: "cdz",
        long_takes: &["define", "php-ini", "zend-extension"],
        flags: &["file", "process-file", "no-php-ini", "no-header", "syntax-check", "interactive", "version", "help"],
        ends: "fF",
        ..NOTHING
    },
    Interpreter {
        names: &["R", "Rscript"],
        code: "e",
        takes: "fgd",
        long_takes: &["gui", "debugger", "encoding", "arch"],
        flags: &[
            "vanilla",
            "slave",
            "no-echo",
            "quiet",
            "silent",
            "verbose",
            "interactive",
            "save",
            "no-save",
            "restore",
            "no-restore",
            "no-restore-data",
            "no-restore-history",
            "no-environ",
            "no-site-file",
            "no-init-file",
            "no-readline",
            "args",
            "version",
            "help",
        ],
        ..NOTHING
    },
    Interpreter {
        names: &["julia"],
        code: "eE",
        long: &["eval", "print"],
        takes: "JLptCH",
        long_takes: &[
            "load",
            "threads",
            "procs",
            "home",
            "sysimage",
            "cpu-target",
            "machine-file",
            "startup-file",
            "color",
            "banner",
            "history-file",
            "compile",
            "check-bounds",
            "inline",
            "depwarn",
            "compiled-modules",
        ],
        // What some of them may be told stands behind `=`.
        flags: &["project", "code-coverage", "track-allocation", "optimize", "interactive", "quiet", "version", "help"],
        ..NOTHING
    },
    Interpreter { names: &["lua", "luajit"], is_versioned: true, code: "e", takes: "l", ..NOTHING },
    Interpreter {
        names: &["pwsh"],
        code: "c",
        long: &["command", "commandwithargs", "cwa", "encodedcommand", "ec"],
        flags: &["noprofile", "noninteractive", "nologo", "noexit", "interactive", "login", "sta", "mta"],
        ends: "f",
        is_powershell: true,
        ..NOTHING
    },
    Interpreter {
        names: &["awk", "gawk", "mawk", "nawk"],
        code: "e",
        long: &["source"],
        takes: "FvilW",
        long_takes: &["assign", "field-separator", "include", "load"],
        flags: &[
            "exec",
            "posix",
            "traditional",
            "csv",
            "bignum",
            "sandbox",
            "re-interval",
            "use-lc-numeric",
            "characters-as-bytes",
            "non-decimal-data",
            "optimize",
            "version",
            "help",
        ],
        files: "f",
        long_files: &["file"],
        operands: 0..1,
        ..NOTHING
    },
    Interpreter {
        names: &["su", "runuser"],
        code: "c",
        long: &["command", "session-command"],
        leading: usize::MAX,
        ..NOTHING
    },
    Interpreter { names: &["script"], is_common: true, code: "c", long: &["command"], leading: usize::MAX, ..NOTHING },
    // Its lock file comes first; then the program, or a command that it is started with.
    Interpreter {
        names: &["flock"],
        is_common: true,
        code: "c",
        long: &["command"],
        takes: "wE",
        long_takes: &["wait", "timeout", "conflict-exit-code"],
        flags: &["shared", "exclusive", "unlock", "nonblock", "nb", "close", "no-fork", "verbose"],
        leading: 1,
        ..NOTHING
    },
    Interpreter {
        names: &["env"],
        code: "S",
        long: &["split-string"],
        takes: "uCa",
        long_takes: &["unset", "chdir", "argv0"],
        flags: &["ignore-environment", "null", "debug", "block-signal", "default-signal", "ignore-signal"],
        ..NOTHING
    },
    Interpreter { names: &["trap"], is_common: true, operands: 0..1, ..NOTHING },
    Interpreter { names: &["eval", "alias"], is_common: true, operands: 0..usize::MAX, ..NOTHING },
    Interpreter { names: &["parallel"], operands: 0..usize::MAX, ..NOTHING },
    Interpreter { names: &["watch"], takes: "n", long_takes: &["interval"], operands: 0..usize::MAX, ..NOTHING },
    Interpreter { names: &["ssh"], takes: "BbcDEeFIiJLlmOopQRSWw", operands: 1..usize::MAX, ..NOTHING },
];

/// A program that only a variable names: most often `$PYTHON` or `$SHELL`.
const UNNAMED: Interpreter = Interpreter {
    code: "c",
    takes: "WXoO",
    long_takes: &["rcfile", "init-file"],
    flags: SHELL_FLAGS,
    ends: "m",
    is_single: true,
    ..NOTHING
};

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
        !is_setting(name) && interpreters(name, is_started(before)).any(|interpreter| interpreter.reads(behind, word))
    })
}

/// Whether a word gives something a value and starts nothing, whatever that value ends with: `DATA=/data/eval`.
fn is_setting(word: &str) -> bool {
    !word.starts_with('-') && word.split_once('=').is_some_and(|(name, _)| !name.contains(['$', '{', '/']))
}

/// What a word may be the name of. A word that reads its operands counts only where a program is started: others have commands of these names.
fn interpreters(word: &str, is_started: bool) -> impl Iterator<Item = &'static Interpreter> {
    let name = name_of(word);
    let is_own = word.contains('/') && !word.starts_with(['/', '$', '~']);
    let named = INTERPRETERS.iter().filter(move |interpreter| {
        let is_certain = interpreter.operands.is_empty() && !interpreter.is_common;
        interpreter.is_called(name, is_started) && (is_started || is_certain) && !(interpreter.is_common && is_own)
    });
    named.chain((is_started && name.starts_with('$')).then_some(&UNNAMED))
}

/// The last part of a path. What stands within `${…}` is no path of its own.
fn name_of(word: &str) -> &str {
    let behind = word.rfind('}').map_or(0, |at| at + 1);
    let is_behind = word.get(behind..).is_some_and(|rest| rest.contains('/'));
    let end = if is_behind { word.len() } else { word.rfind("${").unwrap_or(word.len()) };
    let begin = word.get(..end).and_then(|path| path.rfind('/')).map_or(0, |at| at + 1);
    word.get(begin..).unwrap_or_default()
}

/// Whether a program is started behind these words.
fn is_started(before: &[String]) -> bool {
    let begin = before.iter().rposition(|word| STARTERS.contains(&word.as_str())).map_or(0, |at| at + 1);
    let before = before.get(begin..).unwrap_or_default();
    before.iter().enumerate().all(|(at, word)| {
        let is_argument = at.checked_sub(1).and_then(|at| before.get(at)).is_some_and(|last| last.starts_with('-'));
        let name = name_of(word);
        let is_number = word.starts_with(|c: char| c.is_ascii_digit());
        is_argument || is_number || FRONT.contains(&name) || word.starts_with('-') || word.contains('=')
    })
}

impl Interpreter {
    fn is_called(&self, name: &str, is_started: bool) -> bool {
        let may_have_version = self.is_versioned || (is_started && !self.is_common);
        // Such as `3.11`, and `3.13t` for another build of it.
        let is_version = |rest: &str| {
            rest.trim_end_matches(['d', 'm', 't']).chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-'))
        };
        self.names.iter().any(|known| {
            name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || (may_have_version && is_version(rest)))
        })
    }

    /// Whether the word at work, behind these words of the interpreter's own, is a program.
    fn reads(&self, words: &[String], word: &str) -> bool {
        let (mut is_awaited, mut argument, mut operands) = (false, Argument::None, 0);
        let (mut programs, mut reads_input) = (self.operands.clone(), false);
        let mut words = words.iter();
        while let Some(one) = words.next() {
            if let Some(redirection) = redirection(one) {
                if redirection == HERE_STRING {
                    is_awaited |= reads_input || self.reads_input(operands);
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
                Some(found) if found.awaits_program && self.is_powershell => return true,
                // What may be an argument itself may neither have one nor be the end.
                Some(found) if before == Argument::Perhaps && !found.awaits_program => {
                    let has_argument = found.argument != Argument::None;
                    argument = if has_argument { Argument::Perhaps } else { Argument::None };
                }
                Some(Found { is_end: true, .. }) => return false,
                Some(found) => {
                    is_awaited |= found.awaits_program;
                    reads_input |= found.reads_input;
                    argument = found.argument;
                    if found.names_file {
                        programs = 0..0;
                    }
                }
                None if before == Argument::Perhaps => {}
                None if is_awaited && self.is_single => return false,
                None if is_awaited => is_awaited = false,
                None => {
                    operands += 1;
                    if operands >= programs.end && operands > self.leading {
                        let reads_input = reads_input || (one == "-" && self.reads_input(operands - 1));
                        return reads_input && is_here_string(words.as_slice(), word);
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
            return reads_input || self.reads_input(operands);
        }
        if word.len() > 1 && word.starts_with('-') { self.is_joined(word) } else { programs.contains(&operands) }
    }

    /// Whether its program comes from its standard input, when it was given so many operands.
    fn reads_input(&self, operands: usize) -> bool {
        operands == 0 && !self.code.is_empty() && self.operands.is_empty()
    }

    /// What an option says of the words that follow; `None` for a word that is none.
    fn option(&self, word: &str) -> Option<Found> {
        if self.is_powershell {
            return self.powershell_option(word);
        }
        if let Some(long) = word.strip_prefix("--") {
            let awaits_program = self.is_long(long);
            let has_none = awaits_program || long.is_empty() || long.contains('=') || self.flags.contains(&long);
            let names_file = self.long_files.contains(&long);
            let argument = match long {
                _ if names_file || self.long_takes.contains(&long) => Argument::Certain,
                _ if has_none => Argument::None,
                _ => Argument::Perhaps,
            };
            return Some(Found { awaits_program, argument, names_file, ..Found::default() });
        }
        let letters = word.strip_prefix('-').or_else(|| word.strip_prefix('+').filter(|_| self.is_shell))?;
        if self.is_shell {
            let has_any = |of: &str| letters.contains(|c| of.contains(c));
            let argument = if has_any(self.takes) { Argument::Certain } else { Argument::None };
            let reads_input = word.starts_with('-') && has_any("s");
            return Some(Found { awaits_program: has_any(self.code), argument, reads_input, ..Found::default() });
        }
        if letters.is_empty() {
            return None;
        }
        // What follows the letter of an option that has an argument is that argument.
        let Some((letter, at)) = self.first_with_argument(letters) else { return Some(Found::default()) };
        let is_last = at + letter.len_utf8() == letters.len();
        let awaits_program = is_last && self.code.contains(letter);
        let names_file = self.files.contains(letter);
        let has_argument = names_file || self.takes.contains(letter);
        let argument = if is_last && has_argument { Argument::Certain } else { Argument::None };
        Some(Found { awaits_program, argument, names_file, is_end: self.ends.contains(letter), ..Found::default() })
    }

    /// The same of whole words behind one dash or two.
    fn powershell_option(&self, word: &str) -> Option<Found> {
        let name = word.strip_prefix('-')?.trim_start_matches('-').to_ascii_lowercase();
        let is_any = |of: &[&str]| !name.is_empty() && of.iter().any(|known| known.starts_with(&name));
        let is_end = name.starts_with(self.ends);
        let has_none = is_end || name.is_empty() || is_any(self.flags);
        let argument = if has_none { Argument::None } else { Argument::Perhaps };
        Some(Found { awaits_program: is_any(self.long), argument, is_end, ..Found::default() })
    }

    /// Whether a long option's argument is a program. Many take one that is shortened, too.
    fn is_long(&self, name: &str) -> bool {
        !name.is_empty() && self.long.iter().any(|known| known.starts_with(name))
    }

    fn first_with_argument(&self, letters: &str) -> Option<(char, usize)> {
        let has_argument = |c: &char| [self.code, self.takes, self.files, self.ends].iter().any(|of| of.contains(*c));
        letters.char_indices().map(|(at, c)| (c, at)).find(|(c, _)| has_argument(c))
    }

    /// Whether the rest of an option's own word is a program: `-c…`, `--eval=…`.
    fn is_joined(&self, word: &str) -> bool {
        if let Some(long) = word.strip_prefix("--") {
            return long.split_once('=').is_some_and(|(name, _)| self.is_long(name));
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
    /// The program is in a file.
    names_file: bool,
    /// The program comes from standard input, whatever operands there are.
    reads_input: bool,
    /// What follows is not for the interpreter.
    is_end: bool,
}

/// A redirection without the number before it.
fn redirection(word: &str) -> Option<&str> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.starts_with(['<', '>']).then_some(rest)
}

/// Whether the word at work, behind these, is what is read from standard input.
fn is_here_string(words: &[String], word: &str) -> bool {
    word.starts_with(HERE_STRING) || words.last().and_then(|last| redirection(last)) == Some(HERE_STRING)
}
