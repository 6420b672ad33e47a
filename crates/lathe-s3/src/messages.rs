//! Messages of refusals that the library makes without one: a client that shows nothing else would show nothing.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header;

/// Longer than any refusal.
const MAX_BYTES: usize = 64 * 1024;
const CODE_END: &str = "</Code>";

/// Gives a refusal a message, if it has none and its code is one that we can explain.
pub(crate) async fn explained(response: Response) -> Response {
    if !response.status().is_client_error() || response.headers().contains_key(header::TRANSFER_ENCODING) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // What is sent has its own length: the refusal with a message, or nothing, if it cannot be read.
    parts.headers.remove(header::CONTENT_LENGTH);
    let bytes = axum::body::to_bytes(body, MAX_BYTES).await.unwrap_or_default();
    let explained = std::str::from_utf8(&bytes).ok().and_then(with_message);
    Response::from_parts(parts, Body::from(explained.map_or(bytes, Bytes::from)))
}

fn with_message(refusal: &str) -> Option<String> {
    let (head, rest) = refusal.split_once(CODE_END)?;
    let (_, code) = head.rsplit_once("<Code>")?;
    if rest.contains("<Message>") {
        return None;
    }
    let message = match code {
        "KeyTooLongError" => {
            "a key has at most 1024 bytes; where it begins with a branch, tag or commit, that is part of them"
        }
        "InvalidBucketName" => {
            "a bucket is a repository: its name has 3-63 characters of a-z, 0-9 and single -, and starts and ends with a letter or digit"
        }
        "InvalidURI" => "the request's path is no bucket and key: it must be UTF-8, percent-encoded",
        "SignatureDoesNotMatch" => {
            "the signature is none of this key pair's secret: check the secret access key; `lathe env` prints the pair"
        }
        _ => return None,
    };
    Some(format!("{head}{CODE_END}<Message>{message}</Message>{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_without_a_message_gets_one() {
        let refusal = "<?xml version=\"1.0\"?><Error><Code>KeyTooLongError</Code></Error>";
        let explained = with_message(refusal).unwrap();
        let (_, message) = explained.split_once("</Code><Message>a key has at most 1024 bytes; ").unwrap();
        assert!(message.ends_with("</Message></Error>"), "{explained}");
        for other in [explained.as_str(), "<Error><Code>NoSuchKey</Code></Error>", "", "<Code>"] {
            assert_eq!(with_message(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn a_refusal_that_cannot_be_read_has_the_length_of_what_is_sent() {
        let broken = futures::stream::iter([Ok(Bytes::from_static(b"<Error>")), Err(std::io::Error::other("cut off"))]);
        let response = Response::builder().status(400).header(header::CONTENT_LENGTH, 100);
        let response = explained(response.body(Body::from_stream(broken)).unwrap()).await;
        assert_eq!(response.headers().get(header::CONTENT_LENGTH), None);
        assert!(axum::body::to_bytes(response.into_body(), MAX_BYTES).await.unwrap().is_empty());
    }
}
