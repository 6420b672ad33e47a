//! Sending a stored file: whole or a range, always as an attachment that no browser runs.

use std::ops::Range;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A script in a file can do nothing, not even where a browser shows it.
const CONTENT_SECURITY_POLICY: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";

/// What RFC 8187 leaves unencoded in `filename*`.
const FILE_NAME_CHARACTERS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'!').remove(b'+');

/// Which part of a file is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// These bytes.
    Range(Range<u64>),
    /// Bytes behind its end.
    Beyond,
}

/// What is said of a file before its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHead {
    /// Its name, without folders.
    pub name: String,
    /// The media type; guessed from the name when nobody said it.
    pub content_type: Option<String>,
    /// How long it is.
    pub size_bytes: u64,
    /// The tag of this version, without quotes.
    pub etag: String,
}

impl FileHead {
    /// Reads `Range`. One range of bytes is served; anything else is answered with the whole file, as RFC 9110 allows.
    pub fn asked_part(&self, headers: &HeaderMap) -> Part {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let is_stale = text(header::IF_RANGE).is_some_and(|tag| tag != self.quoted_etag());
        match text(header::RANGE) {
            Some(range) if !is_stale => parse_range(range, self.size_bytes),
            _ => Part::Whole,
        }
    }

    /// Status and headers; the body comes later.
    pub fn response(&self, part: &Part) -> Response {
        let size = self.size_bytes;
        let mut response = Response::new(Body::empty());
        let (status, length, content_range) = match part {
            Part::Whole => (StatusCode::OK, size, None),
            Part::Range(range) => {
                let shown = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
                (StatusCode::PARTIAL_CONTENT, range.end - range.start, Some(shown))
            }
            Part::Beyond => (StatusCode::RANGE_NOT_SATISFIABLE, 0, Some(format!("bytes */{size}"))),
        };
        *response.status_mut() = status;
        let content_type = self.content_type.clone().unwrap_or_else(|| content_type(&self.name));
        let texts = [
            (header::CONTENT_TYPE, content_type),
            (header::CONTENT_LENGTH, length.to_string()),
            (header::CONTENT_DISPOSITION, content_disposition(&self.name)),
            (header::ETAG, self.quoted_etag()),
        ];
        let content_range = content_range.map(|shown| (header::CONTENT_RANGE, shown));
        let headers = response.headers_mut();
        for (name, text) in texts.into_iter().chain(content_range) {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
        for (name, text) in [
            (header::ACCEPT_RANGES, "bytes"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        ] {
            headers.insert(name, HeaderValue::from_static(text));
        }
        response
    }

    fn quoted_etag(&self) -> String {
        format!("\"{}\"", self.etag)
    }
}

fn parse_range(text: &str, size: u64) -> Part {
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            None => Part::Whole,
            Some(0) => Part::Beyond,
            Some(_) if size == 0 => Part::Beyond,
            Some(count) => Part::Range(size.saturating_sub(count)..size),
        },
        (first, last) => {
            let end = if last.is_empty() { Some(u64::MAX) } else { number(last) };
            match (number(first), end) {
                (Some(first), Some(last)) if first > last => Part::Whole,
                (Some(first), Some(_)) if first >= size => Part::Beyond,
                (Some(first), Some(last)) => Part::Range(first..last.saturating_add(1).min(size)),
                _ => Part::Whole,
            }
        }
    }
}

/// The type that the name promises. It is only a hint: browsers are told not to guess, and to download.
fn content_type(name: &str) -> String {
    let guessed = mime_guess::from_path(name).first_or_octet_stream();
    if guessed.type_() == mime_guess::mime::TEXT { format!("{guessed}; charset=utf-8") } else { guessed.to_string() }
}

/// `attachment` with the file's name: in ASCII for old clients, and in full (RFC 6266, RFC 8187).
fn content_disposition(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ';
    if name.chars().all(is_plain) {
        return format!("attachment; filename=\"{name}\"");
    }
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, FILE_NAME_CHARACTERS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        for (text, expected) in [
            ("bytes=0-9", Part::Range(0..10)),
            ("bytes=990-", Part::Range(990..1000)),
            ("bytes=-5", Part::Range(995..1000)),
            ("bytes=-5000", Part::Range(0..1000)),
            ("bytes=5-5000", Part::Range(5..1000)),
            ("bytes=1000-", Part::Beyond),
            ("bytes=2000-3000", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=9-5", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(parse_range(text, 1000), expected, "{text}");
        }
        assert_eq!(parse_range("bytes=0-0", 0), Part::Beyond);
        assert_eq!(parse_range("bytes=-1", 0), Part::Beyond);
    }

    #[test]
    fn names_of_all_kinds_make_valid_headers() {
        assert_eq!(content_disposition("a b.txt"), "attachment; filename=\"a b.txt\"");
        assert_eq!(
            content_disposition("größe \"1\".txt"),
            "attachment; filename=\"gr__e _1_.txt\"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%221%22.txt"
        );
    }

    #[test]
    fn types_follow_the_name() {
        assert_eq!(content_type("a.txt"), "text/plain; charset=utf-8");
        assert_eq!(content_type("a.html"), "text/html; charset=utf-8");
        assert_eq!(content_type("a.png"), "image/png");
        assert_eq!(content_type("MLmodel"), "application/octet-stream");
    }

    proptest! {
        #[test]
        fn a_range_lies_inside_the_file(text in "bytes=[0-9]{0,4}-[0-9]{0,4}", size in 0_u64..2000) {
            if let Part::Range(range) = parse_range(&text, size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }

        #[test]
        fn every_name_makes_a_header(name in "\\PC{1,20}") {
            prop_assert!(HeaderValue::try_from(content_disposition(&name)).is_ok());
            prop_assert!(content_disposition(&name).is_ascii());
        }
    }
}
