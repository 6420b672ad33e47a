//! Bodies on their way in (checked before anything is published) and out.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream};
use futures::{StreamExt as _, TryStreamExt as _};
use http::{HeaderMap, StatusCode};
use lathe_core::{Error, Result};
use md5::{Digest as _, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders, s3_error};
use sync_wrapper::SyncStream;

use crate::checksums::{self, Algorithm};

/// What the client says that its bytes are.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub(crate) content_md5: Option<String>,
    pub(crate) checksums: Checksum,
}

/// Takes what a request claims out of its input: the generated inputs have these fields, and no trait that says so.
macro_rules! claims {
    ($input:ident) => {
        $crate::body::Claims {
            content_md5: $input.content_md5,
            checksums: s3s::dto::Checksum {
                checksum_crc32: $input.checksum_crc32,
                checksum_crc32c: $input.checksum_crc32c,
                checksum_crc64nvme: $input.checksum_crc64nvme,
                checksum_sha1: $input.checksum_sha1,
                checksum_sha256: $input.checksum_sha256,
                ..s3s::dto::Checksum::default()
            },
        }
    };
}
pub(crate) use claims;

/// What became of the check, known when the body has ended: the computed checksums, or S3's refusal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome(Arc<OnceLock<std::result::Result<Checksum, S3Error>>>);

impl Outcome {
    /// The computed checksums; empty while the body has not ended.
    pub(crate) fn checksums(&self) -> Checksum {
        self.0.get().and_then(|outcome| outcome.as_ref().ok()).cloned().unwrap_or_default()
    }

    /// Notes that the body is what was claimed.
    pub(crate) fn set(&self, computed: Checksum) {
        // Set once: a stream ends once.
        let _ = self.0.set(Ok(computed));
    }

    /// S3's own refusal, if the body was refused.
    pub(crate) fn refusal(&self) -> Option<S3Error> {
        let refusal = self.0.get()?.as_ref().err()?;
        let mut copy = S3Error::with_message(refusal.code().clone(), refusal.message().unwrap_or_default().to_owned());
        if let Some(status) = refusal.status_code() {
            copy.set_status_code(status);
        }
        Some(copy)
    }
}

struct Checking {
    body: Option<StreamingBlob>,
    md5: Option<(Md5, Vec<u8>)>,
    hasher: ChecksumHasher,
    claimed: Checksum,
    trailing: Option<TrailingHeaders>,
    /// What is to come behind the body.
    announced: Vec<Algorithm>,
    outcome: Outcome,
}

/// The body as a stream that fails at its end when it is not what the client says: whoever stores it then publishes nothing.
///
/// # Errors
/// `InvalidDigest` for a `Content-MD5` that is none.
pub(crate) fn checked(
    body: Option<StreamingBlob>,
    claims: Claims,
    headers: &HeaderMap,
    trailing: Option<TrailingHeaders>,
) -> S3Result<(BoxStream<'static, Result<Bytes>>, Outcome)> {
    let md5 = match claims.content_md5 {
        None => None,
        Some(text) => match STANDARD.decode(&text) {
            Ok(digest) if digest.len() == 16 => Some((Md5::new(), digest)),
            _ => return Err(s3_error!(InvalidDigest, "Content-MD5 {text:?} is not the base64 of an MD5")),
        },
    };
    let outcome = Outcome::default();
    let announced = announced(headers);
    let hasher = hasher(&claims.checksums, &announced);
    let claimed = claims.checksums;
    let checking = Checking { body, md5, hasher, claimed, trailing, announced, outcome: outcome.clone() };
    let stream = stream::try_unfold(Some(checking), |checking| async move {
        let Some(mut checking) = checking else { return Ok(None) };
        match next(&mut checking).await {
            Some(Ok(chunk)) => Ok(Some((chunk, Some(checking)))),
            None => finish(checking).map(|()| None),
            Some(Err(refusal)) => Err(refuse(&checking.outcome, refusal)),
        }
    });
    Ok((stream.boxed(), outcome))
}

async fn next(checking: &mut Checking) -> Option<S3Result<Bytes>> {
    match checking.body.as_mut()?.next().await? {
        Ok(chunk) => {
            checking.hasher.update(&chunk);
            if let Some((md5, _)) = &mut checking.md5 {
                md5.update(&chunk);
            }
            Some(Ok(chunk))
        }
        Err(error) => {
            let text = error.to_string();
            // The library says so in words only.
            let is_other = text.contains("Sha256Mismatch") || text.contains("SignatureMismatch");
            Some(Err(if is_other {
                let mut refusal = S3Error::with_message(
                    S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
                    "the body is not the one that was signed",
                );
                refusal.set_status_code(StatusCode::BAD_REQUEST);
                refusal
            } else {
                s3_error!(IncompleteBody, "the body ended early or is not well-formed")
            }))
        }
    }
}

fn finish(checking: Checking) -> Result<()> {
    let Checking { md5, hasher, claimed, trailing, announced, outcome, .. } = checking;
    if let Some((md5, digest)) = md5
        && md5.finalize().as_slice() != digest
    {
        return Err(refuse(&outcome, s3_error!(BadDigest, "the body's MD5 is not the one of Content-MD5")));
    }
    let trailer = trailing.and_then(|trailing| trailing.take());
    let computed = hasher.finalize();
    for algorithm in Algorithm::ALL {
        let name = algorithm.header();
        let trailed = trailer.as_ref().and_then(|trailer| trailer.get(name)).and_then(|value| value.to_str().ok());
        if announced.contains(&algorithm) && trailed.is_none() {
            return Err(refuse(&outcome, missing_trailer(name)));
        }
        if let Some(claimed) = algorithm.of(&claimed).or(trailed)
            && Some(claimed) != algorithm.of(&computed)
        {
            return Err(refuse(&outcome, s3_error!(BadDigest, "the body's checksum is not the one of {name}")));
        }
    }
    outcome.set(computed);
    Ok(())
}

fn missing_trailer(name: &str) -> S3Error {
    let message = format!("x-amz-trailer announces {name}, and it did not come behind the body");
    let mut refusal = S3Error::with_message(S3ErrorCode::Custom("MalformedTrailerError".into()), message);
    refusal.set_status_code(StatusCode::BAD_REQUEST);
    refusal
}

/// Notes S3's refusal and ends the stream with an error of Lathe's: what the room answers then is not what is told.
pub(crate) fn refuse(outcome: &Outcome, refusal: S3Error) -> Error {
    let error = Error::invalid(refusal.message().unwrap_or("the body was refused").to_owned());
    let _ = outcome.0.set(Err(refusal));
    error
}

/// What the headers announce for the trailer.
fn announced(headers: &HeaderMap) -> Vec<Algorithm> {
    let names = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_announced =
        |algorithm: &Algorithm| names.split(',').any(|name| name.trim().eq_ignore_ascii_case(algorithm.header()));
    Algorithm::ALL.into_iter().filter(is_announced).collect()
}

/// Computes what is claimed or announced.
fn hasher(claimed: &Checksum, announced: &[Algorithm]) -> ChecksumHasher {
    let is_wanted = |algorithm: &Algorithm| algorithm.of(claimed).is_some() || announced.contains(algorithm);
    checksums::hasher(&Algorithm::ALL.into_iter().filter(is_wanted).collect::<Vec<_>>())
}

/// Bytes on their way out.
pub(crate) fn outgoing(stream: impl Stream<Item = Result<Bytes>> + Send + 'static) -> StreamingBlob {
    StreamingBlob::wrap(SyncStream::new(stream.map_err(|error| std::io::Error::other(error.log_line()))))
}
