//! Uploads under way, a page at a time.

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) key: String,
    pub(crate) upload_id: String,
    pub(crate) at_ms: i64,
}

/// Which of them.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) prefix: String,
    pub(crate) delimiter: Option<String>,
    /// Only those of later keys.
    pub(crate) after_key: String,
    /// And those of that key with later ids.
    pub(crate) after_id: Option<String>,
    pub(crate) limit: usize,
}

/// A page of them, by key and id.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) uploads: Vec<Begun>,
    pub(crate) prefixes: Vec<String>,
    /// Key and id after which the next page begins, if there is one; after a common prefix, without an id.
    pub(crate) next: Option<(String, String)>,
}

/// The page that begins behind the markers.
pub(crate) fn page_of(mut found: Vec<Begun>, wanted: &Wanted) -> Page {
    found.sort_unstable_by(|one, other| (&one.key, &one.upload_id).cmp(&(&other.key, &other.upload_id)));
    let mut page = Page::default();
    let mut last = None;
    for upload in found.into_iter().filter(|upload| wanted.is_after(upload)) {
        let prefix = wanted.common_prefix(&upload.key).map(str::to_owned);
        if prefix.is_some() && page.prefixes.last() == prefix.as_ref() {
            continue;
        }
        if page.uploads.len() + page.prefixes.len() == wanted.limit {
            page.next = last;
            return page;
        }
        match prefix {
            Some(prefix) => {
                last = Some((prefix.clone(), String::new()));
                page.prefixes.push(prefix);
            }
            None => {
                last = Some((upload.key.clone(), upload.upload_id.clone()));
                page.uploads.push(upload);
            }
        }
    }
    page
}

impl Wanted {
    fn is_after(&self, upload: &Begun) -> bool {
        if !upload.key.starts_with(&self.prefix) || self.common_prefix(&upload.key) == Some(self.after_key.as_str()) {
            return false;
        }
        match &self.after_id {
            Some(after_id) if upload.key == self.after_key => upload.upload_id > *after_id,
            _ => upload.key > self.after_key,
        }
    }

    /// The part of a key that stands for all keys with it.
    fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter.as_deref()?;
        let at = key.get(self.prefix.len()..)?.find(delimiter)?;
        key.get(..self.prefix.len() + at + delimiter.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Vec<Begun> {
        let uploads = [("b/2", "9"), ("a", "2"), ("a", "1"), ("b/1", "5"), ("b-1", "7"), ("c", "3"), ("b/1", "4")];
        uploads.map(|(key, id)| Begun { key: key.to_owned(), upload_id: id.to_owned(), at_ms: 0 }).into()
    }

    fn all_pages(limit: usize, prefix: &str, delimiter: Option<&str>) -> Vec<Vec<String>> {
        let (mut pages, mut after) = (Vec::new(), (String::new(), String::new()));
        loop {
            let wanted = Wanted {
                prefix: prefix.to_owned(),
                delimiter: delimiter.map(str::to_owned),
                after_key: after.0.clone(),
                after_id: Some(after.1.clone()).filter(|id| !id.is_empty()),
                limit,
            };
            let Page { uploads, prefixes, next } = page_of(found(), &wanted);
            let uploads = uploads.into_iter().map(|upload| format!("{}:{}", upload.key, upload.upload_id));
            pages.push(uploads.chain(prefixes).collect::<Vec<_>>());
            match next {
                Some(next) => after = next,
                None => return pages,
            }
        }
    }

    #[test]
    fn pages_hold_every_upload_once() {
        let all = ["a:1", "a:2", "b-1:7", "b/1:4", "b/1:5", "b/2:9", "c:3"];
        for limit in 1..=8 {
            let pages = all_pages(limit, "", None);
            assert_eq!(pages.concat(), all, "{limit}");
            assert!(pages.iter().all(|page| page.len() <= limit));
        }
        assert_eq!(all_pages(2, "b/", None), [vec!["b/1:4", "b/1:5"], vec!["b/2:9"]]);
        assert_eq!(all_pages(2, "", Some("/")), [vec!["a:1", "a:2"], vec!["b-1:7", "b/"], vec!["c:3"]]);
        assert_eq!(all_pages(1, "b/", Some("/")), [vec!["b/1:4"], vec!["b/1:5"], vec!["b/2:9"]]);
        assert_eq!(all_pages(0, "", None), [Vec::<String>::new()], "nothing follows when nothing is asked for");
    }
}
