//! Envelope encryption: a value under a key of its own, and that key under the server's. AES-256-GCM, bound to where the value stands.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use lathe_core::{Error, Result};

use crate::ServerKey;

/// The first byte of what is sealed.
const VERSION: u8 = 1;
const PURPOSE: &str = "lathe secrets of jobs 1";
const DATA_KEY_BYTES: usize = 32;

/// A value that only the server's key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The value's own key, sealed with the server's.
    pub(crate) data_key: Vec<u8>,
    /// The value, sealed with its own key.
    pub(crate) sealed: Vec<u8>,
}

/// Seals a value for a place; in another place it does not open.
pub(crate) fn seal(key: &ServerKey, place: &str, value: &[u8]) -> Result<Sealed> {
    let mut data_key = [0; DATA_KEY_BYTES];
    getrandom::fill(&mut data_key)
        .map_err(|error| Error::internal(format!("the operating system gave no random bytes: {error}")))?;
    let sealed = seal_with(&data_key, place, value)?;
    Ok(Sealed { data_key: seal_with(&key.derive(PURPOSE), place, &data_key)?, sealed })
}

/// Opens what was sealed for a place; `None` when it was damaged, moved, or sealed with another key.
pub(crate) fn open(key: &ServerKey, place: &str, Sealed { data_key, sealed }: &Sealed) -> Option<Vec<u8>> {
    let data_key: [u8; DATA_KEY_BYTES] = open_with(&key.derive(PURPOSE), place, data_key)?.try_into().ok()?;
    open_with(&data_key, place, sealed)
}

/// Version, nonce, ciphertext with its tag.
fn seal_with(key: &[u8; DATA_KEY_BYTES], place: &str, value: &[u8]) -> Result<Vec<u8>> {
    let failed = |_| Error::internal("a value could not be sealed");
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(failed)?;
    let mut text = value.to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut text).map_err(failed)?;
    Ok([&[VERSION], nonce.as_ref().as_slice(), &text].concat())
}

fn open_with(key: &[u8; DATA_KEY_BYTES], place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = sealed.strip_prefix(&[VERSION])?.split_at_checked(NONCE_LEN)?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut text = text.to_vec();
    let length = key.open_in_place(nonce, Aad::from(place.as_bytes()), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> ServerKey {
        ServerKey::from_bytes([byte; 32])
    }

    #[test]
    fn only_the_same_key_and_place_open_a_value() {
        let sealed = seal(&key(1), "default/TOKEN", b"value").unwrap();
        assert_eq!(open(&key(1), "default/TOKEN", &sealed).as_deref(), Some(b"value".as_slice()));
        assert_eq!(open(&key(2), "default/TOKEN", &sealed), None);
        assert_eq!(open(&key(1), "other/TOKEN", &sealed), None);
        assert_ne!(seal(&key(1), "default/TOKEN", b"value").unwrap(), sealed);
        assert!(!sealed.sealed.windows(5).any(|window| window == b"value"));
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let sealed = seal(&key(1), "p", b"value").unwrap();
        for at in 0..sealed.sealed.len() {
            let mut changed = sealed.clone();
            changed.sealed[at] ^= 1;
            assert_eq!(open(&key(1), "p", &changed), None, "{at}");
        }
        for at in 0..sealed.data_key.len() {
            let mut changed = sealed.clone();
            changed.data_key[at] ^= 1;
            assert_eq!(open(&key(1), "p", &changed), None, "{at}");
        }
        for length in 0..sealed.sealed.len() {
            let changed = Sealed { sealed: sealed.sealed[..length].to_vec(), ..sealed.clone() };
            assert_eq!(open(&key(1), "p", &changed), None);
        }
    }
}
