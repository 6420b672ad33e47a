//! The one error of every public boundary. Each door maps [`Code`] to its own dialect in one table.

use std::fmt;

use crate::text::escape_controls;

/// `Result` with Lathe's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as a stable word that clients may match on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request itself is wrong; sending it again cannot help.
    InvalidArgument,
    /// No credentials, or credentials that do not hold.
    Unauthenticated,
    /// The actor is known and may not do this.
    PermissionDenied,
    /// The named thing does not exist, or not in this project.
    NotFound,
    /// The path exists, but not for this method.
    MethodNotAllowed,
    /// The name is taken.
    AlreadyExists,
    /// The thing is in a state that forbids the change.
    Conflict,
    /// A condition that the request carried (`If-Match`, `If-None-Match`) does not hold.
    PreconditionFailed,
    /// A body, a batch or a value is over its limit.
    TooLarge,
    /// Too many requests; try again later.
    RateLimited,
    /// A fault of Lathe's own.
    Internal,
    /// A served model raised an error over a request that it should be able to take.
    ModelFailed,
    /// The database or object store does not answer now, or a queue is full.
    Unavailable,
    /// Something that Lathe asked on the caller's behalf, such as a model, did not answer in time.
    TimedOut,
    /// The disk is (nearly) full: reads go on, writes do not.
    OutOfSpace,
}

impl Code {
    /// All codes.
    pub const ALL: [Code; 15] = [
        Code::InvalidArgument,
        Code::Unauthenticated,
        Code::PermissionDenied,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::AlreadyExists,
        Code::Conflict,
        Code::PreconditionFailed,
        Code::TooLarge,
        Code::RateLimited,
        Code::Internal,
        Code::ModelFailed,
        Code::Unavailable,
        Code::TimedOut,
        Code::OutOfSpace,
    ];

    /// The code of a word in JSON; `None` for a word that is none.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Whether the caller is at fault, and not what was asked: the one line between requests that count as errors of a
    /// deployment (in gates, statistics and monitoring) and requests that were asked badly.
    pub fn is_of_caller(self) -> bool {
        (400..500).contains(&self.http_status())
    }

    /// The code as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidArgument => "invalid_argument",
            Code::Unauthenticated => "unauthenticated",
            Code::PermissionDenied => "permission_denied",
            Code::NotFound => "not_found",
            Code::MethodNotAllowed => "method_not_allowed",
            Code::AlreadyExists => "already_exists",
            Code::Conflict => "conflict",
            Code::PreconditionFailed => "precondition_failed",
            Code::TooLarge => "too_large",
            Code::RateLimited => "rate_limited",
            Code::Internal => "internal",
            Code::ModelFailed => "model_failed",
            Code::Unavailable => "unavailable",
            Code::TimedOut => "timed_out",
            Code::OutOfSpace => "out_of_space",
        }
    }

    /// Whether the same thing may well go through a little later: the fault is in what is around it, not in it.
    pub fn is_transient(self) -> bool {
        matches!(self, Code::Unavailable | Code::TimedOut | Code::RateLimited | Code::OutOfSpace)
    }

    /// The HTTP status of the native API (RFC 9110; 507 is RFC 4918).
    pub fn http_status(self) -> u16 {
        match self {
            Code::InvalidArgument => 400,
            Code::Unauthenticated => 401,
            Code::PermissionDenied => 403,
            Code::NotFound => 404,
            Code::MethodNotAllowed => 405,
            Code::AlreadyExists | Code::Conflict => 409,
            Code::PreconditionFailed => 412,
            Code::TooLarge => 413,
            Code::RateLimited => 429,
            Code::Internal | Code::ModelFailed => 500,
            Code::Unavailable => 503,
            Code::TimedOut => 504,
            Code::OutOfSpace => 507,
        }
    }
}

/// An error with a part for the person (`message`, `hint`) and a part for the log (`context`, `source`).
///
/// Only code, message and hint ever leave the server.
pub struct Error {
    code: Code,
    message: String,
    hint: Option<String>,
    context: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with its code and a lower-case message that names the thing and what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, context: Vec::new(), source: None }
    }

    /// [`Code::InvalidArgument`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// [`Code::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// [`Code::AlreadyExists`].
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new(Code::AlreadyExists, message)
    }

    /// [`Code::Conflict`].
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// [`Code::Internal`], with the cause for the log; the person reads a neutral sentence.
    pub fn internal(context: impl Into<String>) -> Self {
        Self::new(
            Code::Internal,
            "something went wrong inside Lathe; the server log has the details under this request id",
        )
        .with_context(context)
    }

    /// What the person can do next, as a command or a short sentence.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A line for the log.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.context.push(context.into());
        self
    }

    /// The underlying error, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error once more, for each of several callers that one failure met; the source goes into the log line.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self {
            code: self.code,
            message: self.message.clone(),
            hint: self.hint.clone(),
            context: vec![self.log_line()],
            source: None,
        }
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The message for the person.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The next step for the person, if there is one.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The message and the next step as one text, for where there is a place for only one.
    pub fn said(&self) -> String {
        match self.hint() {
            Some(hint) => format!("{} Hint: {hint}.", sentence(&self.message)),
            None => self.message.clone(),
        }
    }

    /// Everything for the log in one line, whatever it repeats of a request: message, contexts, chain of sources.
    pub fn log_line(&self) -> String {
        let mut line = format!("{}: {}", self.code.as_str(), self.message);
        for context in &self.context {
            line.push_str("; ");
            line.push_str(context);
        }
        let mut source = self.source.as_deref().map(|s| s as &dyn std::error::Error);
        while let Some(cause) = source {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            source = cause.source();
        }
        escape_controls(&line, &[]).into_owned()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.log_line())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|s| s as _)
    }
}

/// A message with the full stop that another sentence wants before it.
fn sentence(message: &str) -> String {
    let is_ended = message.ends_with(['.', '!', '?', ':']);
    if is_ended { message.to_owned() } else { format!("{message}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_follows_the_message() {
        let error = Error::invalid("the model needs the columns `b`");
        assert_eq!(error.said(), "the model needs the columns `b`");
        let hinted = error.with_hint("the request has: a");
        assert_eq!(hinted.said(), "the model needs the columns `b`. Hint: the request has: a.");
        assert_eq!(Error::invalid("Is it?").with_hint("ask").said(), "Is it? Hint: ask.");
    }

    #[test]
    fn what_a_request_said_begins_no_line_of_the_log() {
        let source = std::io::Error::other("\u{1b}[31m\r");
        let error = Error::invalid("`a\n2026-01-01 ERROR forged`").with_context("b\0").with_source(source);
        assert_eq!(error.log_line(), "invalid_argument: `a\\n2026-01-01 ERROR forged`; b\\u{0}: \\u{1b}[31m\\r");
        assert_eq!(error.duplicate().log_line().lines().count(), 1);
    }

    #[test]
    fn a_code_is_read_as_it_is_written_and_only_a_status_of_4xx_is_the_callers() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(code));
        }
        assert_eq!(Code::parse("nothing"), None);
        let faults = [Code::InvalidArgument, Code::TooLarge, Code::NotFound];
        assert!(faults.into_iter().all(Code::is_of_caller));
        let failures = [Code::ModelFailed, Code::Unavailable, Code::TimedOut, Code::Internal];
        assert!(!failures.into_iter().any(Code::is_of_caller));
    }
}
