//! Ids as newtypes. All are time-ordered (UUID version 7, RFC 9562), so that tables and lists grow at one end.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, Result};

fn is_lower_hex_32(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $noun:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new id that sorts after all ids made before.
            pub fn generate() -> Self {
                Self(format!(concat!($prefix, "{}"), Uuid::now_v7().simple()))
            }

            /// Parses the text form.
            ///
            /// # Errors
            /// `NotFound` when the text has not the form of an id: no such thing can exist.
            pub fn parse(text: &str) -> Result<Self> {
                match text.strip_prefix($prefix) {
                    Some(hex) if is_lower_hex_32(hex) => Ok(Self(text.to_owned())),
                    _ => Err(Error::not_found(format!(concat!($noun, " `{}` does not exist"), text))),
                }
            }

            /// Takes a text that is known to be an id, such as one read from the database.
            pub fn from_trusted(text: String) -> Self {
                Self(text)
            }

            /// The text form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&$name> for String {
            fn from(id: &$name) -> String {
                id.0.clone()
            }
        }
    };
}

hex_id!(
    /// A run: 32 hex digits, as MLflow's clients expect.
    RunId, "", "run");
hex_id!(
    /// A logged model: `m-` and 32 hex digits.
    LoggedModelId, "m-", "logged model");
hex_id!(
    /// A run of a pipeline.
    PipelineRunId, "", "pipeline run");
hex_id!(
    /// An event of the ledger.
    EventId, "", "event");
hex_id!(
    /// An access token's public id (never the secret).
    TokenId, "", "token");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_parse_and_sort_by_time() {
        let first = RunId::generate();
        std::thread::yield_now();
        let later: Vec<RunId> = (0..100).map(|_| RunId::generate()).collect();
        assert_eq!(RunId::parse(first.as_str()).unwrap(), first);
        assert!(later.iter().all(|id| *id > first));
    }

    #[test]
    fn malformed_ids_are_not_found() {
        for text in ["", "nope", "ABCDEF00000000000000000000000000", "0123456789abcdef0123456789abcdeg"] {
            assert_eq!(RunId::parse(text).unwrap_err().code(), crate::Code::NotFound, "{text}");
        }
        assert!(LoggedModelId::parse(&format!("m-{}", "0".repeat(32))).is_ok());
    }
}
