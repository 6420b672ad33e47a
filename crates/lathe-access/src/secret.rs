//! Random secrets, and what of them is stored: only their SHA-256.
//!
//! A fast hash is right here and wrong for passwords: 256 random bits cannot be guessed however fast one tries.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lathe_core::{Error, Result};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Every access token begins so, for people and for scanners of leaked secrets.
const TOKEN_PREFIX: &str = "lth_";
/// 256 bits in base64url.
const SECRET_LENGTH: usize = 43;

/// 256 random bits from the operating system, base64url.
pub(crate) fn generate() -> Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal(format!("the operating system gave no random bytes: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A new access token.
pub(crate) fn generate_token() -> Result<String> {
    Ok(format!("{TOKEN_PREFIX}{}", generate()?))
}

/// What is stored of a secret.
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Whether a stored hash is this one, in a time that does not depend on where they differ.
pub(crate) fn is_same(stored: &[u8], hash: &[u8]) -> bool {
    stored.ct_eq(hash).into()
}

/// Whether a text has the form of an access token.
pub(crate) fn is_token(text: &str) -> bool {
    text.strip_prefix(TOKEN_PREFIX).is_some_and(is_secret)
}

/// Whether a text has the form of a generated secret.
pub(crate) fn is_secret(text: &str) -> bool {
    text.len() == SECRET_LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn new_secrets_have_the_form_of_secrets_and_differ() {
        let (first, second) = (generate_token().unwrap(), generate_token().unwrap());
        assert!(is_token(&first) && is_token(&second));
        assert_ne!(first, second);
        assert!(is_secret(&generate().unwrap()));
    }

    #[test]
    fn only_the_exact_hash_is_the_same() {
        let one = hash("a");
        assert!(is_same(&one, &hash("a")));
        assert!(!is_same(&one, &hash("b")));
        assert!(!is_same(&one[..31], &one));
    }

    proptest! {
        #[test]
        fn recognising_a_token_never_panics_and_takes_one_form_only(text in "(lth_|LTH_|)[0-9a-zA-Z_=é\\x00-]{40,46}|\\PC*") {
            let expected = text.len() == 47
                && text.starts_with("lth_")
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            prop_assert_eq!(is_token(&text), expected);
        }
    }
}
