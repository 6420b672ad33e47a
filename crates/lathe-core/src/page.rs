//! Pages and their opaque tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// One page of a longer list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows, in the order asked for.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last page.
    pub next: Option<PageToken>,
}

impl<T> Page<T> {
    /// Makes a page from up to `limit + 1` rows read at `token`'s offset: the extra row shows that more follow.
    pub fn from_overread(mut rows: Vec<T>, token: &PageToken, limit: usize) -> Self {
        let next = (rows.len() > limit).then(|| PageToken {
            version: 1,
            offset: token.offset + limit as u64,
            query: token.query,
        });
        rows.truncate(limit);
        Self { items: rows, next }
    }

    /// The same page with other rows.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(convert).collect(), next: self.next }
    }
}

/// Where a page starts, and of which query. Opaque to clients: base64url of a versioned JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageToken {
    #[serde(rename = "v")]
    version: u8,
    /// How many rows come before.
    #[serde(rename = "o")]
    pub offset: u64,
    #[serde(rename = "q")]
    query: u32,
}

impl PageToken {
    /// The start of a list. `query` is whatever decides content and order: a token taken to another query is refused.
    pub fn start(query: &str) -> Self {
        Self { version: 1, offset: 0, query: fingerprint(query) }
    }

    /// Reads a client's token for this query; `None` or an empty text is the start.
    ///
    /// # Errors
    /// `InvalidArgument` for a token that Lathe did not make, or made for another query.
    pub fn read(token: Option<&str>, query: &str) -> Result<Self> {
        let text = match token {
            None | Some("") => return Ok(Self::start(query)),
            Some(text) => text,
        };
        let parsed: PageToken = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| {
                Error::invalid(format!("Invalid page token {text:?}; pass the token of the previous page unchanged"))
            })?;
        // Offsets reach SQL as 64-bit signed integers.
        let offset_fits = i64::try_from(parsed.offset).is_ok();
        if parsed.version != 1 || !offset_fits || parsed.query != fingerprint(query) {
            return Err(Error::invalid(
                "Invalid page token: it belongs to another query; start again without a token or repeat the query unchanged",
            ));
        }
        Ok(parsed)
    }

    /// A token of the same query that starts elsewhere.
    pub fn at(&self, offset: u64) -> Self {
        Self { offset, ..self.clone() }
    }

    /// The text that clients send back.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The offset as SQL wants it.
    pub fn offset_sql(&self) -> i64 {
        i64::try_from(self.offset).unwrap_or(i64::MAX)
    }
}

/// FNV-1a, 32 bits: enough to notice a token that strayed, no more is asked of it.
fn fingerprint(query: &str) -> u32 {
    query.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pages_together_are_the_list(length in 0..60_usize, limit in 1..20_usize, query in ".{0,10}") {
            let list: Vec<usize> = (0..length).collect();
            let (mut found, mut token, mut pages) = (Vec::new(), PageToken::start(&query), 0);
            loop {
                let from = usize::try_from(token.offset).unwrap();
                let overread = list.iter().skip(from).take(limit + 1).copied().collect();
                let page = Page::from_overread(overread, &token, limit);
                prop_assert!(page.items.len() <= limit);
                found.extend(page.items);
                pages += 1;
                let Some(next) = page.next else { break };
                token = PageToken::read(Some(&next.encode()), &query).unwrap();
            }
            prop_assert_eq!(found, list);
            prop_assert_eq!(pages, length.div_ceil(limit).max(1));
        }

        #[test]
        fn any_other_text_is_no_token(text in "\\PC{1,60}") {
            let own = PageToken::start("q").at(7).encode();
            prop_assume!(text != own);
            // A text may decode to the same token in another spelling; everything else is refused.
            if let Ok(token) = PageToken::read(Some(&text), "q") {
                prop_assert_eq!(token.query, PageToken::start("q").query);
            }
        }
    }

    #[test]
    fn token_survives_the_round_trip() {
        let page = Page::from_overread(vec![1, 2, 3], &PageToken::start("q"), 2);
        assert_eq!(page.items, [1, 2]);
        let text = page.next.unwrap().encode();
        assert_eq!(PageToken::read(Some(&text), "q").unwrap().offset, 2);
    }

    #[test]
    fn foreign_tokens_are_refused() {
        let text = PageToken::start("q").encode();
        for bad in ["!!!", "e30", text.as_str()] {
            assert!(PageToken::read(Some(bad), "other").is_err(), "{bad}");
        }
    }

    #[test]
    fn the_last_page_has_no_next() {
        assert_eq!(Page::from_overread(vec![1, 2], &PageToken::start(""), 2).next, None);
    }
}
