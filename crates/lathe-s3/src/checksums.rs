//! The checksums that S3 knows besides MD5, by their names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::Checksum;

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
