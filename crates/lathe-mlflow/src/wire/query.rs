//! Query strings: decoded exactly once, strictly.

use lathe_core::{Error, Result};
use percent_encoding::percent_decode;

/// The pairs of a query, in order. A part without `=` is a name with an empty value.
///
/// # Errors
/// `InvalidArgument` when a name or value is not UTF-8.
pub(crate) fn parse_query(query: &str) -> Result<Vec<(String, String)>> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Result<String> {
    let spaced = text.replace('+', " ");
    let decoded: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
    String::from_utf8(decoded).map_err(|_| Error::invalid("the query string is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_once() {
        let pairs = parse_query("a=1&a=2&b=x+y%20z&c=%252e&d&=e&&f=a=b").unwrap();
        let expected = [("a", "1"), ("a", "2"), ("b", "x y z"), ("c", "%2e"), ("d", ""), ("", "e"), ("f", "a=b")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(parse_query("path=%ff").is_err());
        assert!(parse_query("path=%zz%").is_ok());
    }
}
