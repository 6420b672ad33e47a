//! Artifact paths of requests: decoded exactly once, and never one that a second decoding would turn into another place.

use http::Uri;
use lathe_core::{Error, Result};
use lathe_tracking::ArtifactPath;
use percent_encoding::percent_decode_str;

/// What stands before the path in the proxy's URLs.
const PROXY_ROUTE: &str = "/mlflow-artifacts/artifacts/";

/// How often an encoded path is looked through; what is still encoded then is refused.
const MAX_DECODINGS: usize = 5;

/// The path in a URL of the proxy.
///
/// # Errors
/// `InvalidArgument` ("Invalid path").
pub(crate) fn proxied_path(uri: &Uri) -> Result<ArtifactPath> {
    // The raw path: the router's captures are decoded already, and what was decoded cannot be told any more.
    let raw = uri.path().split_once(PROXY_ROUTE).map(|(_, raw)| raw).unwrap_or_default();
    let decoded: Vec<u8> = percent_decode_str(raw).collect();
    parse_path(&String::from_utf8(decoded).map_err(|_| invalid_path())?)
}

/// A path in a parameter.
///
/// # Errors
/// `InvalidArgument` ("Invalid path").
pub(crate) fn parse_path(text: &str) -> Result<ArtifactPath> {
    let names_a_file_uri = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:"));
    if names_a_file_uri || text.contains('#') || hides_another_path(text) {
        return Err(invalid_path());
    }
    ArtifactPath::parse(text)
}

/// A folder in a parameter; absent or empty is the root.
///
/// # Errors
/// `InvalidArgument` ("Invalid path").
pub(crate) fn parse_folder(text: Option<String>) -> Result<Option<ArtifactPath>> {
    match text.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => parse_path(text).map(Some),
    }
}

/// Whether decoding the text once more, and again, leads to something that is no path.
///
/// Nothing here decodes twice. A proxy in front of the server or a tool behind it may.
fn hides_another_path(text: &str) -> bool {
    let mut current = text.to_owned();
    for _ in 0..MAX_DECODINGS {
        let Ok(decoded) = String::from_utf8(percent_decode_str(&current).collect()) else { return true };
        if decoded == current {
            return false;
        }
        if ArtifactPath::parse(&decoded).is_err() {
            return true;
        }
        current = decoded;
    }
    true
}

fn invalid_path() -> Error {
    Error::invalid("Invalid path")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxied(rest: &str) -> Result<String> {
        let uri: Uri = format!("/api/2.0/mlflow-artifacts/artifacts/{rest}").parse().unwrap();
        proxied_path(&uri).map(|path| path.to_string())
    }

    #[test]
    fn paths_are_decoded_exactly_once() {
        assert_eq!(proxied("1/r/artifacts/with%20space.txt").unwrap(), "1/r/artifacts/with space.txt");
        assert_eq!(proxied("a%2Fb").unwrap(), "a/b");
        assert_eq!(proxied("a%25b").unwrap(), "a%b");
        assert_eq!(proxied("gr%C3%B6%C3%9Fe.txt").unwrap(), "größe.txt");
        assert_eq!(proxied("a+b;c").unwrap(), "a+b;c");
        assert_eq!(proxied("a/b?x=../y").unwrap(), "a/b");
    }

    #[test]
    fn every_spelling_of_leaving_the_folder_is_refused() {
        for rest in [
            "..",
            "../x",
            "../../../../etc/passwd",
            "a/../../x",
            "a/..",
            "%2e%2e",
            "%2e%2e/x",
            "%2E%2E%2Fx",
            "..%2fx",
            "%252e%252e/x",
            "%252e%252e%252fx",
            "%25252e%25252e%25252fx",
            "file:///etc/passwd",
            "file:/etc/passwd",
            "File:/etc/passwd",
            "a/%2e%2e/%2e%2e/x",
            "%00",
            "a%00b",
            "a%00/../x",
            "a%0ab",
            "%ff",
            "%c0%ae%c0%ae/x",
            "%2fetc%2fpasswd",
            "/etc/passwd",
            "..%5cx",
            "%255c%255chost",
            "%2500",
            "",
            "a%23b",
        ] {
            assert_eq!(proxied(rest).unwrap_err().message(), "Invalid path", "{rest}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_stays_a_path_however_often_it_is_decoded(text in "([a-z./]|%2e|%2F|%25|%5c|%00|%ff|é){0,12}") {
            if let Ok(path) = parse_path(&text) {
                let mut current = path.to_string();
                for _ in 0..8 {
                    prop_assert!(ArtifactPath::parse(&current).is_ok(), "{} from {}", current, text);
                    current = percent_decode_str(&current).decode_utf8().unwrap().into_owned();
                }
            }
        }
    }
}
