//! Answers whose outcome comes after their head: of the completion of a large upload.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::TryStreamExt as _;
use http::header;

const DECLARATION: &[u8] = b"<?xml";
const DECLARATION_END: &[u8] = b"?>";

/// Makes such an answer one XML document: the library begins it with a declaration, and a late error with a second one.
pub(crate) fn well_formed(response: Response) -> Response {
    // The library says so of these answers alone.
    if !response.headers().contains_key(header::TRANSFER_ENCODING) {
        return response;
    }
    response.map(|body| {
        let mut is_first = true;
        let chunks = body.into_data_stream();
        Body::from_stream(chunks.map_ok(
            move |chunk| {
                if std::mem::take(&mut is_first) { chunk } else { without_declaration(chunk) }
            },
        ))
    })
}

fn without_declaration(chunk: Bytes) -> Bytes {
    if !chunk.starts_with(DECLARATION) {
        return chunk;
    }
    let end = chunk.windows(DECLARATION_END.len()).position(|window| window == DECLARATION_END);
    end.map_or(chunk.clone(), |end| chunk.slice(end + DECLARATION_END.len()..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_left_out_and_nothing_else() {
        let rest = |text: &'static str| without_declaration(Bytes::from_static(text.as_bytes()));
        assert_eq!(rest("<?xml version=\"1.0\"?><Error/>"), "<Error/>");
        for text in ["<Error/>", " ", "", "<?xml"] {
            assert_eq!(rest(text), text);
        }
    }
}
