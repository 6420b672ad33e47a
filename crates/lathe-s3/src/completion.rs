//! What the one who completes an upload says of its parts and of the whole, verified while the parts become one file.
//!
//! As S3 has it: the checksum of the whole is that of its bytes (`FULL_OBJECT`: the CRCs), or that of the parts' checksums with the
//! number of parts behind it (`COMPOSITE`: `…-4`; all but CRC64NVME).

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use lathe_core::Result;
use lathe_data::uploads::PartStream;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{Checksum, ChecksumType};
use s3s::{S3Result, s3_error};

use crate::body::{Outcome, refuse};
use crate::checksums::{Algorithm, Announced, Kind, hasher};

#[derive(Debug)]
struct Whole {
    algorithm: Algorithm,
    /// Where nothing says which, either proves the bytes.
    kind: Option<Kind>,
    claimed: String,
}

/// What is claimed.
#[derive(Debug)]
pub(crate) struct Claims {
    /// Of each named part, in order.
    parts: Vec<Checksum>,
    whole: Vec<Whole>,
}

impl Claims {
    /// Reads what a completion claims: of its parts, of the whole, and how the whole's is made.
    ///
    /// # Errors
    /// `InvalidRequest` for what is no checksum, for kinds that S3 does not have, and for another algorithm than the upload announced;
    /// `BadDigest` for another kind than that.
    pub(crate) fn read(
        parts: Vec<Checksum>,
        whole: &Checksum,
        kind: Option<&ChecksumType>,
        announced: Option<Announced>,
    ) -> S3Result<Self> {
        let count = parts.len();
        let named = kind.map(Kind::read).transpose()?;
        if let Some(announced) = announced {
            announced.check(whole, &parts, named)?;
        }
        let kind = named.or(announced.map(|announced| announced.kind));
        for (number, part) in parts.iter().enumerate() {
            for algorithm in Algorithm::ALL {
                if algorithm.of(part).is_some_and(|value| algorithm.decode(value).is_none()) {
                    let header = algorithm.header();
                    return Err(s3_error!(
                        InvalidRequest,
                        "{header} of the part named as number {} is none",
                        number + 1
                    ));
                }
            }
        }
        let mut read = Vec::new();
        for algorithm in Algorithm::ALL {
            if let Some(value) = algorithm.of(whole) {
                read.push(read_whole(algorithm, value, kind, count)?);
            }
        }
        Ok(Self { parts, whole: read })
    }

    /// The algorithms that must be computed of every part.
    fn of_parts(&self) -> Vec<Algorithm> {
        let is_wanted = |algorithm: &Algorithm| {
            self.parts.iter().any(|part| algorithm.of(part).is_some())
                || self.whole.iter().any(|whole| whole.algorithm == *algorithm && whole.kind != Some(Kind::Full))
        };
        Algorithm::ALL.into_iter().filter(is_wanted).collect()
    }

    /// The algorithms that must be computed of all bytes.
    fn of_bytes(&self) -> Vec<Algorithm> {
        let whole = self.whole.iter().filter(|whole| whole.kind != Some(Kind::Composite));
        whole.map(|whole| whole.algorithm).collect()
    }
}

fn read_whole(algorithm: Algorithm, value: &str, named: Option<Kind>, count: usize) -> S3Result<Whole> {
    let header = algorithm.header();
    let (claimed, suffix) = value.split_once('-').map_or((value, None), |(claimed, suffix)| (claimed, Some(suffix)));
    if algorithm.decode(claimed).is_none() {
        return Err(s3_error!(InvalidRequest, "{header} {value:?} is no such checksum"));
    }
    let has_suffix = suffix.is_some();
    let kind = match (algorithm, named) {
        (Algorithm::Crc64Nvme, None) if !has_suffix => Some(Kind::Full),
        (Algorithm::Sha1 | Algorithm::Sha256, None) => Some(Kind::Composite),
        (Algorithm::Crc32 | Algorithm::Crc32c, None) => has_suffix.then_some(Kind::Composite),
        (_, Some(kind)) if algorithm.has(kind) && !(has_suffix && kind == Kind::Full) => Some(kind),
        _ => {
            return Err(s3_error!(
                InvalidRequest,
                "{header} is not made in this way: CRC64NVME is of all bytes, SHA of the parts' checksums"
            ));
        }
    };
    if suffix.is_some_and(|suffix| suffix.parse() != Ok(count)) {
        return Err(s3_error!(BadDigest, "{header} {value:?} is of another number of parts than {count}"));
    }
    Ok(Whole { algorithm, kind, claimed: claimed.to_owned() })
}

struct Verifying {
    parts: PartStream,
    claims: Claims,
    of_parts: Vec<Algorithm>,
    part: ChecksumHasher,
    whole: ChecksumHasher,
    /// The checksums of the parts that have ended.
    ended: Vec<Checksum>,
    outcome: Outcome,
}

/// The bytes of the parts as a stream that fails, at the latest at its end, when they are not what is claimed.
pub(crate) fn verified(parts: PartStream, claims: Claims, outcome: Outcome) -> BoxStream<'static, Result<Bytes>> {
    let of_parts = claims.of_parts();
    let (part, whole) = (hasher(&of_parts), hasher(&claims.of_bytes()));
    let verifying = Verifying { parts, claims, of_parts, part, whole, ended: Vec::new(), outcome };
    let stream = stream::try_unfold(Some(verifying), |verifying| async move {
        let Some(mut verifying) = verifying else { return Ok(None) };
        match verifying.parts.next().await.transpose()? {
            Some((place, chunk)) => {
                verifying.end_parts(place)?;
                verifying.part.update(&chunk);
                verifying.whole.update(&chunk);
                Ok(Some((chunk, Some(verifying))))
            }
            None => {
                verifying.end_parts(verifying.claims.parts.len())?;
                verifying.end().map(|()| None)
            }
        }
    });
    stream.boxed()
}

impl Verifying {
    /// Ends the parts before a place; one without bytes has none of the chunks.
    fn end_parts(&mut self, place: usize) -> Result<()> {
        while self.ended.len() < place {
            let computed = std::mem::replace(&mut self.part, hasher(&self.of_parts)).finalize();
            let claimed = self.claims.parts.get(self.ended.len()).cloned().unwrap_or_default();
            for algorithm in &self.of_parts {
                let claimed = algorithm.of(&claimed);
                if claimed.is_some() && claimed != algorithm.of(&computed) {
                    let (header, number) = (algorithm.header(), self.ended.len() + 1);
                    return Err(refuse(
                        &self.outcome,
                        s3_error!(BadDigest, "{header} of the part named as number {number} is another one"),
                    ));
                }
            }
            self.ended.push(computed);
        }
        Ok(())
    }

    fn end(self) -> Result<()> {
        let Self { claims, of_parts, whole, ended, outcome, .. } = self;
        let full = whole.finalize();
        let mut answer = Checksum::default();
        // What every part came with is told of the whole, too.
        for algorithm in of_parts {
            if claims.parts.iter().all(|part| algorithm.of(part).is_some()) && algorithm != Algorithm::Crc64Nvme {
                algorithm.set(&mut answer, format!("{}-{}", composite(algorithm, &ended), ended.len()));
                answer.checksum_type = Some(ChecksumType::from_static(ChecksumType::COMPOSITE));
            }
        }
        for Whole { algorithm, kind, claimed } in claims.whole {
            let is_full = kind != Some(Kind::Composite) && algorithm.of(&full) == Some(claimed.as_str());
            let is_composite = kind != Some(Kind::Full) && composite(algorithm, &ended) == claimed;
            let (value, kind) = match (is_full, is_composite) {
                (true, _) => (claimed, ChecksumType::FULL_OBJECT),
                (false, true) => (format!("{claimed}-{}", ended.len()), ChecksumType::COMPOSITE),
                (false, false) => {
                    let header = algorithm.header();
                    return Err(refuse(&outcome, s3_error!(BadDigest, "{header} is not the one of the whole file")));
                }
            };
            algorithm.set(&mut answer, value);
            answer.checksum_type = Some(ChecksumType::from_static(kind));
        }
        outcome.set(answer);
        Ok(())
    }
}

/// The checksum of the parts' checksums.
fn composite(algorithm: Algorithm, parts: &[Checksum]) -> String {
    let digests = parts.iter().filter_map(|part| algorithm.decode(algorithm.of(part)?));
    algorithm.digest(&digests.flatten().collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;

    use super::*;

    const PARTS: [&str; 3] = ["first", "", "last"];

    /// The checksums that are answered, or the code of the refusal.
    async fn verify(
        parts: Vec<Checksum>,
        whole: Checksum,
        kind: Option<&'static str>,
    ) -> std::result::Result<Checksum, String> {
        let claims = Claims::read(parts, &whole, kind.map(ChecksumType::from_static).as_ref(), None);
        let claims = claims.map_err(|error| error.code().as_str().to_owned())?;
        let chunks = PARTS.into_iter().enumerate().filter(|(_, part)| !part.is_empty());
        let chunks = chunks.map(|(place, part)| Ok((place, Bytes::from_static(part.as_bytes()))));
        let outcome = Outcome::default();
        let read = verified(stream::iter(chunks.collect::<Vec<_>>()).boxed(), claims, outcome.clone());
        match read.try_collect::<Vec<_>>().await {
            Ok(bytes) => {
                assert_eq!(bytes.concat(), b"firstlast");
                Ok(outcome.checksums())
            }
            Err(_) => Err(outcome.refusal().unwrap().code().as_str().to_owned()),
        }
    }

    fn of(algorithm: Algorithm, value: String) -> Checksum {
        let mut checksum = Checksum::default();
        algorithm.set(&mut checksum, value);
        checksum
    }

    fn parts_of(algorithm: Algorithm) -> Vec<Checksum> {
        PARTS.map(|part| of(algorithm, algorithm.digest(part.as_bytes()))).into()
    }

    #[tokio::test]
    async fn what_is_claimed_of_parts_and_of_the_whole_is_verified() {
        for algorithm in Algorithm::ALL {
            let (parts, none) = (parts_of(algorithm), vec![Checksum::default(); PARTS.len()]);
            let full = of(algorithm, algorithm.digest(b"firstlast"));
            let combined = of(algorithm, format!("{}-3", composite(algorithm, &parts)));
            let is_crc = !matches!(algorithm, Algorithm::Sha1 | Algorithm::Sha256);
            let is_composite = algorithm != Algorithm::Crc64Nvme;
            for claimed in [&none, &parts] {
                let outcome = verify(claimed.clone(), full.clone(), None).await;
                assert_eq!(outcome.is_ok(), is_crc, "{algorithm:?}: {outcome:?}");
                let outcome = verify(claimed.clone(), full.clone(), Some(ChecksumType::FULL_OBJECT)).await;
                assert_eq!(outcome.is_ok(), is_crc, "{algorithm:?}: {outcome:?}");
                for kind in [None, Some(ChecksumType::COMPOSITE)] {
                    let outcome = verify(claimed.clone(), combined.clone(), kind).await;
                    assert_eq!(outcome.is_ok(), is_composite, "{algorithm:?}: {outcome:?}");
                }
                let wrong = of(algorithm, algorithm.digest(b"other"));
                assert_eq!(verify(claimed.clone(), wrong, None).await.unwrap_err(), "BadDigest", "{algorithm:?}");
            }
            let mut wrong = parts.clone();
            wrong[1] = of(algorithm, algorithm.digest(b"other"));
            assert_eq!(verify(wrong, Checksum::default(), None).await.unwrap_err(), "BadDigest", "{algorithm:?}");
            let answered = verify(parts.clone(), Checksum::default(), None).await.unwrap();
            assert_eq!(algorithm.of(&answered), algorithm.of(&combined).filter(|_| is_composite), "{algorithm:?}");
            for bad in ["", "AAA", "nonsense!"] {
                let bad = of(algorithm, bad.to_owned());
                assert_eq!(verify(none.clone(), bad, None).await.unwrap_err(), "InvalidRequest", "{algorithm:?}");
            }
        }
        let other_count =
            of(Algorithm::Crc32, format!("{}-2", composite(Algorithm::Crc32, &parts_of(Algorithm::Crc32))));
        assert_eq!(verify(parts_of(Algorithm::Crc32), other_count, None).await.unwrap_err(), "BadDigest");
    }
}
