//! What an error says to the client of any dialect.

use lathe_core::Error;

/// The message, and what to do next where it is known.
pub(crate) fn said(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{}. Hint: {hint}.", error.message().trim_end_matches('.')),
        None => error.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_follows_the_message() {
        let error = Error::invalid("the model needs the columns `b`");
        assert_eq!(said(&error), "the model needs the columns `b`");
        let hinted = error.with_hint("the request has: a");
        assert_eq!(said(&hinted), "the model needs the columns `b`. Hint: the request has: a.");
    }
}
