//! The primitives of the formats on disk: variable-length integers, counted texts, fixed arrays.

use bytes::{Buf as _, Bytes};
use lathe_core::{Error, Result};

/// Appends an unsigned integer: seven bits a byte, lowest first, the high bit set on all but the last.
pub(crate) fn put_uint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a count or a length.
pub(crate) fn put_len(out: &mut Vec<u8>, length: usize) {
    put_uint(out, length as u64);
}

/// Appends a signed integer, small magnitudes first: 0, -1, 1, -2, …
pub(crate) fn put_int(out: &mut Vec<u8>, value: i64) {
    put_uint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a byte string after its length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Reads what the functions above wrote. Anything else is an error, never a panic: integers must be as short as they can be,
/// so that a value has one encoding.
#[derive(Debug)]
pub(crate) struct Reader(Bytes);

impl Reader {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(crate) fn remaining(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        self.0.try_get_u8().map_err(|_| damaged("it ends early"))
    }

    pub(crate) fn uint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 { Err(damaged("an integer is too long")) } else { Ok(value) };
            }
        }
        Err(damaged("an integer is too large"))
    }

    pub(crate) fn int(&mut self) -> Result<i64> {
        let coded = self.uint()?;
        Ok((coded >> 1) as i64 ^ -((coded & 1) as i64))
    }

    /// A count of things that take at least one byte each: never more than bytes are left.
    pub(crate) fn len(&mut self) -> Result<usize> {
        let length = self.uint()?;
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.remaining())
            .ok_or_else(|| damaged("it ends early"))
    }

    pub(crate) fn bytes(&mut self) -> Result<Bytes> {
        let length = self.len()?;
        Ok(self.0.split_to(length))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        self.0.try_copy_to_slice(&mut array).map_err(|_| damaged("it ends early"))?;
        Ok(array)
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?.into()).map_err(|_| damaged("a text is not UTF-8"))
    }

    /// Whatever is left.
    pub(crate) fn rest(self) -> Bytes {
        self.0
    }

    /// Fails unless everything was read.
    pub(crate) fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(damaged("bytes follow its end")) }
    }
}

/// A stored value that cannot be read.
pub(crate) fn damaged(why: &str) -> Error {
    Error::internal(format!("a stored entry or tree node cannot be read: {why}; run `lathe fsck`"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_come_back(unsigned in any::<u64>(), signed in any::<i64>(), small in -200..200_i64) {
            let mut out = Vec::new();
            put_uint(&mut out, unsigned);
            put_int(&mut out, signed);
            put_int(&mut out, small);
            let mut reader = Reader::new(out.into());
            prop_assert_eq!(reader.uint().unwrap(), unsigned);
            prop_assert_eq!(reader.int().unwrap(), signed);
            prop_assert_eq!(reader.int().unwrap(), small);
            prop_assert!(reader.finish().is_ok());
        }

        #[test]
        fn an_integer_has_one_encoding(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(bytes.clone().into());
            if let Ok(value) = reader.uint() {
                let mut out = Vec::new();
                put_uint(&mut out, value);
                prop_assert_eq!(&out[..], &bytes[..bytes.len() - reader.remaining()]);
            }
        }
    }
}
