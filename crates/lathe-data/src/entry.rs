//! What a path holds, and its format on disk.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use lathe_core::{Error, Result};
use lathe_objects::ObjectHash;

use crate::codec::{Reader, damaged, put_bytes, put_int, put_len, put_uint};

/// Blobs up to this size live in the tree's leaf itself.
pub const MAX_INLINE_BYTES: usize = 4 * 1024;

/// How an entry's bytes are kept, as a number on disk. 4 (a list of chunks) is taken, and refused until this version of Lathe
/// knows it.
const FORM_INLINE: u8 = 1;
const FORM_OBJECT: u8 = 2;
const FORM_PACK: u8 = 3;

/// BLAKE3 of an entry's bytes: what the entry *is*, whatever its form, ETag or time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub(crate) [u8; 32]);

impl ContentHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }

    /// Parses 64 lower-case hex digits.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn parse(text: &str) -> Result<Self> {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => Ok(Self(bytes)),
            _ => Err(Error::invalid(format!("{text:?} is no BLAKE3 hash: 64 lower-case hex digits"))),
        }
    }

    /// The hash that names a stored object.
    pub(crate) fn of_object(hash: &ObjectHash) -> Result<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(hash.as_str(), &mut bytes)
            .map_err(|error| Error::internal("an object's hash is not hex").with_source(error))?;
        Ok(Self(bytes))
    }

    /// The object that holds these bytes whole.
    pub(crate) fn to_object(self) -> Result<ObjectHash> {
        ObjectHash::parse(&self.to_string())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// S3's tag of a version: MD5 of the bytes, or of the parts' MD5 with their number; of a batch's file the start of its BLAKE3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Etag {
    /// The digest.
    pub md5: [u8; 16],
    /// How many parts a multipart upload had; 0 for a plain one, 1 for a file of a batch.
    pub parts: u32,
}

impl Etag {
    /// The tag of a file that came in a batch. MD5 would cost as much as all else that is done with its bytes; with a number of parts,
    /// S3's clients take a tag for no MD5 of the bytes.
    pub(crate) fn of_batched(hash: &ContentHash) -> Self {
        let mut start = [0; 16];
        start.copy_from_slice(&hash.0[..16]);
        Self { md5: start, parts: 1 }
    }

    /// Parses `<32 hex digits>` or `<32 hex digits>-<parts>`, with or without quotes.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let (digits, parts) = match text.split_once('-') {
            None => (text, 0),
            Some((digits, parts)) => (digits, parts.parse().ok().filter(|parts| *parts > 0)?),
        };
        let mut md5 = [0; 16];
        hex::decode_to_slice(digits, &mut md5).ok()?;
        Some(Self { md5, parts })
    }
}

impl fmt::Display for Etag {
    /// Without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.md5))?;
        if self.parts > 0 { write!(f, "-{}", self.parts) } else { Ok(()) }
    }
}

/// How an entry's bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blob {
    /// Here.
    Inline(Bytes),
    /// As the object that the content's hash names.
    Object,
    /// As a slice of an object that holds many files, from this byte on; its length is the entry's size.
    Packed {
        /// The object that holds it.
        pack: ContentHash,
        /// Where it begins there.
        offset: u64,
    },
}

/// What a path holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// How long it is.
    pub size_bytes: u64,
    /// What it is.
    pub hash: ContentHash,
    /// The tag that S3 clients compare.
    pub etag: Etag,
    /// When it was written, in milliseconds since 1970.
    pub modified_at_ms: i64,
    /// The media type; empty when nobody said it.
    pub content_type: String,
    /// What the writer attached.
    pub metadata: BTreeMap<String, String>,
    /// The bytes, or where they are.
    pub blob: Blob,
}

impl Entry {
    /// Whether both are the same to a reader: equal bytes, type and metadata. ETag and time may differ.
    pub fn is_same(&self, other: &Self) -> bool {
        self.hash == other.hash && self.content_type == other.content_type && self.metadata == other.metadata
    }

    /// The object that gc must keep for this entry.
    pub(crate) fn object_hash(&self) -> Option<String> {
        match &self.blob {
            Blob::Inline(_) => None,
            Blob::Object => Some(self.hash.to_string()),
            Blob::Packed { pack, .. } => Some(pack.to_string()),
        }
    }

    /// The entry's format on disk. The size comes first: a tree sums it up without reading the rest.
    pub(crate) fn encode(&self) -> RawEntry {
        let mut out = Vec::with_capacity(96);
        put_uint(&mut out, self.size_bytes);
        out.extend_from_slice(&self.hash.0);
        out.extend_from_slice(&self.etag.md5);
        put_uint(&mut out, u64::from(self.etag.parts));
        put_int(&mut out, self.modified_at_ms);
        put_bytes(&mut out, self.content_type.as_bytes());
        put_len(&mut out, self.metadata.len());
        for (key, value) in &self.metadata {
            put_bytes(&mut out, key.as_bytes());
            put_bytes(&mut out, value.as_bytes());
        }
        match &self.blob {
            Blob::Inline(bytes) => {
                out.push(FORM_INLINE);
                out.extend_from_slice(bytes);
            }
            Blob::Object => out.push(FORM_OBJECT),
            Blob::Packed { pack, offset } => {
                out.push(FORM_PACK);
                out.extend_from_slice(&pack.0);
                put_uint(&mut out, *offset);
                // Said again: a slice that is stored shorter than its content may come to be.
                put_uint(&mut out, self.size_bytes);
            }
        }
        RawEntry(out.into())
    }
}

/// An entry as it is on disk: what most paths of a leaf stay when a few of them change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawEntry(pub(crate) Bytes);

impl RawEntry {
    pub(crate) fn size_bytes(&self) -> Result<u64> {
        Reader::new(self.0.clone()).uint()
    }

    pub(crate) fn decode(&self) -> Result<Entry> {
        let mut reader = Reader::new(self.0.clone());
        let size_bytes = reader.uint()?;
        let hash = ContentHash(reader.array()?);
        let md5 = reader.array()?;
        let parts = u32::try_from(reader.uint()?).map_err(|_| damaged("too many parts"))?;
        let modified_at_ms = reader.int()?;
        let content_type = reader.text()?;
        let mut metadata = BTreeMap::new();
        for _ in 0..reader.len()? {
            let (key, value) = (reader.text()?, reader.text()?);
            if metadata.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(damaged("metadata is out of order"));
            }
            metadata.insert(key, value);
        }
        let blob = match reader.byte()? {
            FORM_INLINE => {
                let inline = reader.rest();
                if inline.len() as u64 != size_bytes {
                    return Err(damaged("an inline blob has another size"));
                }
                Blob::Inline(inline)
            }
            FORM_OBJECT => {
                reader.finish()?;
                Blob::Object
            }
            FORM_PACK => {
                let (pack, offset, length) = (ContentHash(reader.array()?), reader.uint()?, reader.uint()?);
                reader.finish()?;
                if length != size_bytes || offset.checked_add(length).is_none() {
                    return Err(damaged("a slice of a pack has another size than its content"));
                }
                Blob::Packed { pack, offset }
            }
            form => return Err(damaged(&format!("a blob has form {form}, which this version of Lathe does not know"))),
        };
        let etag = Etag { md5, parts };
        Ok(Entry { size_bytes, hash, etag, modified_at_ms, content_type, metadata, blob })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn inline(text: &str) -> Entry {
        Entry {
            size_bytes: text.len() as u64,
            hash: ContentHash::of(text.as_bytes()),
            etag: Etag { md5: [0; 16], parts: 0 },
            modified_at_ms: 0,
            content_type: String::new(),
            metadata: BTreeMap::new(),
            blob: Blob::Inline(Bytes::copy_from_slice(text.as_bytes())),
        }
    }

    fn entries() -> impl Strategy<Value = Entry> {
        let blob = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| Blob::Inline(bytes.into())),
            Just(Blob::Object),
            (any::<[u8; 32]>(), any::<u32>())
                .prop_map(|(pack, offset)| Blob::Packed { pack: ContentHash(pack), offset: offset.into() }),
        ];
        let metadata = prop::collection::btree_map("[a-z]{1,5}", ".{0,5}", 0..4);
        let texts = (".{0,12}", metadata, blob);
        (any::<u64>(), any::<[u8; 32]>(), any::<[u8; 16]>(), any::<u32>(), any::<i64>(), texts).prop_map(
            |(size, hash, md5, parts, modified_at_ms, (content_type, metadata, blob))| Entry {
                size_bytes: match &blob {
                    Blob::Inline(bytes) => bytes.len() as u64,
                    Blob::Object => size,
                    Blob::Packed { .. } => size >> 1,
                },
                hash: ContentHash(hash),
                etag: Etag { md5, parts },
                modified_at_ms,
                content_type,
                metadata,
                blob,
            },
        )
    }

    proptest! {
        #[test]
        fn an_entry_comes_back(entry in entries()) {
            let raw = entry.encode();
            prop_assert_eq!(raw.size_bytes().unwrap(), entry.size_bytes);
            prop_assert_eq!(raw.decode().unwrap(), entry);
        }

        #[test]
        fn any_bytes_are_an_entry_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let raw = RawEntry(bytes.into());
            if let Ok(entry) = raw.decode() {
                prop_assert_eq!(entry.encode(), raw);
            }
        }

        #[test]
        fn a_changed_byte_is_another_entry_or_an_error(entry in entries(), at in any::<prop::sample::Index>(), by in 1..=255_u8) {
            let mut bytes = entry.encode().0.to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            let raw = RawEntry(bytes.into());
            if let Ok(other) = raw.decode() {
                prop_assert_ne!(&other, &entry);
                prop_assert_eq!(other.encode(), raw);
            }
        }
    }

    #[test]
    fn equal_content_is_the_same_whatever_its_tag_and_time() {
        let entry = inline("x");
        let later = Entry { modified_at_ms: 9, etag: Etag { md5: [1; 16], parts: 2 }, ..entry.clone() };
        assert!(entry.is_same(&later));
        assert!(!entry.is_same(&Entry { content_type: "text/csv".to_owned(), ..entry.clone() }));
        assert!(!entry.is_same(&inline("y")));
    }

    #[test]
    fn forms_of_later_versions_are_refused_by_name() {
        let mut bytes = Entry { blob: Blob::Object, ..inline("x") }.encode().0.to_vec();
        *bytes.last_mut().unwrap() = 4;
        assert!(RawEntry(bytes.into()).decode().unwrap_err().log_line().contains("form 4"));
    }

    #[test]
    fn tags_parse_with_and_without_quotes() {
        let plain = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(Etag::parse(plain).unwrap().to_string(), plain);
        assert_eq!(Etag::parse(&format!("\"{plain}-3\"")).unwrap().to_string(), format!("{plain}-3"));
        for bad in ["", "*", "d41d", "d41d8cd98f00b204e9800998ecf8427e-0", "d41d8cd98f00b204e9800998ecf8427e-x"] {
            assert_eq!(Etag::parse(bad), None, "{bad}");
        }
    }
}
