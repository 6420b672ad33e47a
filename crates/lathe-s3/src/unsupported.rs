//! Headers that ask for what is not served. To ignore them would store something else than what was asked for.

use http::{HeaderMap, HeaderName};
use s3s::{S3Result, s3_error};

/// The beginnings of headers, and what they ask for.
const REFUSED: &[(&str, &str)] = &[
    ("x-amz-server-side-encryption", "encryption by the server"),
    ("x-amz-copy-source-server-side-encryption", "encryption by the server"),
    ("x-amz-tagging", "tagging"),
    ("x-amz-object-lock", "object lock"),
    ("x-amz-bucket-object-lock", "object lock"),
    ("x-amz-bypass-governance-retention", "object lock"),
    ("x-amz-website-redirect-location", "a website"),
    ("x-amz-grant-", "an access control list"),
    ("x-amz-write-offset-bytes", "appending"),
];
/// What access control lists may say: that nobody gets more than roles give them.
const PRIVATE: &[&str] = &["private", "bucket-owner-full-control", "bucket-owner-read"];

/// Refuses a request for what is not served.
///
/// # Errors
/// `NotImplemented`.
pub(crate) fn check(headers: &HeaderMap) -> S3Result<()> {
    for (name, value) in headers {
        let asks = asks_for(name, value.to_str().unwrap_or("what is no text"));
        if let Some(what) = asks {
            return Err(s3_error!(NotImplemented, "{name}: {what} is not served here; leave the header out"));
        }
    }
    Ok(())
}

fn asks_for(name: &HeaderName, value: &str) -> Option<&'static str> {
    let (name, value) = (name.as_str(), value.trim());
    let asks_for_nothing = match name {
        "x-amz-acl" => return (!value.is_empty() && !PRIVATE.contains(&value)).then_some("an access control list"),
        // Without tags, both of them leave a copy without tags.
        "x-amz-tagging-directive" => true,
        "x-amz-bucket-object-lock-enabled" | "x-amz-bypass-governance-retention" => value.eq_ignore_ascii_case("false"),
        _ => false,
    };
    if value.is_empty() || asks_for_nothing {
        return None;
    }
    REFUSED.iter().find(|(beginning, _)| name.starts_with(beginning)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_the_meaning_is_refused() {
        let asks = |name: &'static str, value| asks_for(&HeaderName::from_static(name), value).is_some();
        assert!(asks("x-amz-server-side-encryption", "AES256"));
        assert!(asks("x-amz-server-side-encryption-customer-key", "c2VjcmV0"));
        assert!(asks("x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256"));
        assert!(asks("x-amz-tagging", "a=b"));
        assert!(asks("x-amz-object-lock-mode", "COMPLIANCE"));
        assert!(asks("x-amz-acl", "public-read"));
        assert!(asks("x-amz-grant-read", "id=1"));
        for (name, value) in [
            ("x-amz-acl", "private"),
            ("content-encoding", "gzip"),
            ("x-amz-tagging-directive", "COPY"),
            ("x-amz-tagging", ""),
            ("x-amz-bucket-object-lock-enabled", "false"),
            ("x-amz-storage-class", "STANDARD"),
            ("x-amz-meta-tagging", "mine"),
        ] {
            assert!(!asks(name, value), "{name}: {value}");
        }
    }
}
