//! The checksums that S3 knows besides MD5, by their names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{Checksum, ChecksumAlgorithm, ChecksumType};
use s3s::{S3Result, s3_error};

/// A kind of checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The header that carries it.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Its name in requests.
    fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => ChecksumAlgorithm::CRC32,
            Self::Crc32c => ChecksumAlgorithm::CRC32C,
            Self::Crc64Nvme => ChecksumAlgorithm::CRC64NVME,
            Self::Sha1 => ChecksumAlgorithm::SHA1,
            Self::Sha256 => ChecksumAlgorithm::SHA256,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// Whether a whole file's can be made so.
    pub(crate) fn has(self, kind: Kind) -> bool {
        match self {
            Self::Crc32 | Self::Crc32c => true,
            Self::Crc64Nvme => kind == Kind::Full,
            Self::Sha1 | Self::Sha256 => kind == Kind::Composite,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Its value among others.
    pub(crate) fn of(self, checksums: &Checksum) -> Option<&str> {
        match self {
            Self::Crc32 => checksums.checksum_crc32.as_deref(),
            Self::Crc32c => checksums.checksum_crc32c.as_deref(),
            Self::Crc64Nvme => checksums.checksum_crc64nvme.as_deref(),
            Self::Sha1 => checksums.checksum_sha1.as_deref(),
            Self::Sha256 => checksums.checksum_sha256.as_deref(),
        }
    }

    pub(crate) fn set(self, checksums: &mut Checksum, value: String) {
        let field = match self {
            Self::Crc32 => &mut checksums.checksum_crc32,
            Self::Crc32c => &mut checksums.checksum_crc32c,
            Self::Crc64Nvme => &mut checksums.checksum_crc64nvme,
            Self::Sha1 => &mut checksums.checksum_sha1,
            Self::Sha256 => &mut checksums.checksum_sha256,
        };
        *field = Some(value);
    }

    /// The bytes of a value; `None` when it is no base64 of so many.
    pub(crate) fn decode(self, value: &str) -> Option<Vec<u8>> {
        STANDARD.decode(value).ok().filter(|bytes| bytes.len() == self.bytes())
    }

    /// The checksum of bytes that are here.
    pub(crate) fn digest(self, bytes: &[u8]) -> String {
        let mut hasher = hasher(&[self]);
        hasher.update(bytes);
        self.of(&hasher.finalize()).unwrap_or_default().to_owned()
    }
}

/// How the checksum of a whole file is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of all bytes.
    Full,
    /// Of the parts' checksums.
    Composite,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Full => ChecksumType::FULL_OBJECT,
            Self::Composite => ChecksumType::COMPOSITE,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Full, Self::Composite].into_iter().find(|kind| kind.as_str() == name)
    }

    /// Reads how a request says that it is made.
    ///
    /// # Errors
    /// `InvalidRequest` for any other word.
    pub(crate) fn read(named: &ChecksumType) -> S3Result<Self> {
        let name = named.as_str();
        Self::parse(name).ok_or_else(|| s3_error!(InvalidRequest, "{name:?} is neither FULL_OBJECT nor COMPOSITE"))
    }
}

/// What a multipart upload announces when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) algorithm: Algorithm,
    pub(crate) kind: Kind,
}

impl Announced {
    /// Reads it of a request; without an algorithm nothing is announced.
    ///
    /// # Errors
    /// `InvalidRequest` for words that S3 does not have, and for an algorithm whose checksums are not made in that way.
    pub(crate) fn read(algorithm: Option<&ChecksumAlgorithm>, kind: Option<&ChecksumType>) -> S3Result<Option<Self>> {
        let kind = kind.map(Kind::read).transpose()?;
        let Some(name) = algorithm.map(ChecksumAlgorithm::as_str) else {
            return match kind {
                None => Ok(None),
                Some(_) => Err(s3_error!(InvalidRequest, "x-amz-checksum-type needs x-amz-checksum-algorithm")),
            };
        };
        let algorithm = Algorithm::parse(name)
            .ok_or_else(|| s3_error!(InvalidRequest, "{name:?} is none of the checksum algorithms here"))?;
        let usual = if algorithm == Algorithm::Crc64Nvme { Kind::Full } else { Kind::Composite };
        let kind = kind.unwrap_or(usual);
        if !algorithm.has(kind) {
            let kind = kind.as_str();
            return Err(s3_error!(InvalidRequest, "checksums of the algorithm {name} cannot be of the type {kind}"));
        }
        Ok(Some(Self { algorithm, kind }))
    }

    /// As it is stored with the upload.
    pub(crate) fn to_text(self) -> String {
        format!("{} {}", self.algorithm.as_str(), self.kind.as_str())
    }

    /// Reads what [`Self::to_text`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (algorithm, kind) = text.split_once(' ')?;
        Some(Self { algorithm: Algorithm::parse(algorithm)?, kind: Kind::parse(kind)? })
    }

    /// The algorithm, as answers name it.
    pub(crate) fn algorithm(self) -> ChecksumAlgorithm {
        ChecksumAlgorithm::from_static(self.algorithm.as_str())
    }

    /// How the whole file's is made, as answers name it.
    pub(crate) fn kind(self) -> ChecksumType {
        ChecksumType::from_static(self.kind.as_str())
    }

    /// Whether a completion keeps to it.
    ///
    /// # Errors
    /// `InvalidRequest` for checksums of another algorithm, `BadDigest` for another kind.
    pub(crate) fn check(self, whole: &Checksum, parts: &[Checksum], named: Option<Kind>) -> S3Result<()> {
        let others = Algorithm::ALL.into_iter().filter(|other| *other != self.algorithm);
        for other in others {
            if other.of(whole).is_some() || parts.iter().any(|part| other.of(part).is_some()) {
                let (announced, header) = (self.algorithm.as_str(), other.header());
                return Err(s3_error!(
                    InvalidRequest,
                    "the upload began with the checksum algorithm {announced}, and {header} is another one"
                ));
            }
        }
        match named {
            Some(kind) if kind != self.kind => {
                let (announced, named) = (self.kind.as_str(), kind.as_str());
                Err(s3_error!(BadDigest, "the upload began with the checksum type {announced}, not {named}"))
            }
            _ => Ok(()),
        }
    }
}

/// Computes some of them.
pub(crate) fn hasher(wanted: &[Algorithm]) -> ChecksumHasher {
    let has = |algorithm| wanted.contains(&algorithm);
    ChecksumHasher {
        crc32: has(Algorithm::Crc32).then(Crc32::new),
        crc32c: has(Algorithm::Crc32c).then(Crc32c::new),
        sha1: has(Algorithm::Sha1).then(Sha1::new),
        sha256: has(Algorithm::Sha256).then(Sha256::new),
        crc64nvme: has(Algorithm::Crc64Nvme).then(Crc64Nvme::new),
    }
}
