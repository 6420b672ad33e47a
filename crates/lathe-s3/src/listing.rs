//! Listing a bucket: paths of a ref, or the refs themselves.
//!
//! A page ends with a key or a common prefix, and the next one begins behind it: the continuation token is that text, so a
//! listing needs no state and goes on after a restart.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lathe_core::{Code, Ctx};
use lathe_data::listing::{ListObjects, Listed, list_objects};
use lathe_data::refs::{list_branches, list_tags};
use lathe_data::repositories::PageRequest;
use lathe_data::{Entry, Revision};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
    ObjectStorageClass,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::address::Bucket;
use crate::door::Door;
use crate::objects::{etag, last_modified, size};
use crate::refuse::{self, What};

/// S3's page.
const MAX_KEYS: i32 = 1_000;
/// What `encoding-type=url` leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// What is asked for.
struct Wanted {
    prefix: String,
    delimiter: Option<String>,
    after: Option<String>,
    max_keys: usize,
}

impl Wanted {
    fn new(
        prefix: Option<String>,
        delimiter: Option<String>,
        after: Option<String>,
        max_keys: Option<i32>,
    ) -> S3Result<Self> {
        let max_keys = max_keys.unwrap_or(MAX_KEYS).min(MAX_KEYS);
        let max_keys = usize::try_from(max_keys)
            .map_err(|_| s3_error!(InvalidArgument, "max-keys must be 0 or more, not {max_keys}"))?;
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
        Ok(Self {
            prefix: prefix.unwrap_or_default(),
            delimiter,
            after: after.filter(|after| !after.is_empty()),
            max_keys,
        })
    }
}

#[derive(Default)]
struct Page {
    objects: Vec<(String, Entry)>,
    prefixes: Vec<String>,
    is_truncated: bool,
}

impl Page {
    fn len(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }

    /// The key or prefix that the page ends with.
    fn last(&self) -> Option<&str> {
        let key = self.objects.last().map(|(key, _)| key.as_str());
        key.max(self.prefixes.last().map(String::as_str))
    }
}

impl Door {
    pub(crate) async fn list_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let bucket = Bucket::find(&ctx, &self.state.data, &input.bucket).await?;
        let after = match &input.continuation_token {
            Some(token) => Some(read_token(token)?),
            None => input.start_after.clone(),
        };
        let wanted = Wanted::new(input.prefix.clone(), input.delimiter.clone(), after, input.max_keys)?;
        let page = self.page(&ctx, &bucket, &wanted).await?;
        let next = page.last().filter(|_| page.is_truncated).map(|last| URL_SAFE_NO_PAD.encode(last));
        let encode = Encoding::of(input.encoding_type.as_ref())?;
        let output = ListObjectsV2Output {
            key_count: Some(i32::try_from(page.len()).unwrap_or(MAX_KEYS)),
            is_truncated: Some(page.is_truncated),
            next_continuation_token: next,
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(|text| encode.text(text)),
            start_after: input.start_after.map(|text| encode.text(text)),
            max_keys: Some(i32::try_from(wanted.max_keys).unwrap_or(MAX_KEYS)),
            continuation_token: input.continuation_token,
            encoding_type: input.encoding_type,
            common_prefixes: Some(encode.prefixes(page.prefixes)),
            contents: Some(encode.objects(page.objects)),
            ..ListObjectsV2Output::default()
        };
        Ok(S3Response::new(output))
    }

    pub(crate) async fn list_v1(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let bucket = Bucket::find(&ctx, &self.state.data, &input.bucket).await?;
        let wanted = Wanted::new(input.prefix.clone(), input.delimiter.clone(), input.marker.clone(), input.max_keys)?;
        let page = self.page(&ctx, &bucket, &wanted).await?;
        let encode = Encoding::of(input.encoding_type.as_ref())?;
        let next = page.last().filter(|_| page.is_truncated).map(|last| encode.text(last.to_owned()));
        let output = ListObjectsOutput {
            is_truncated: Some(page.is_truncated),
            next_marker: next,
            marker: Some(encode.text(input.marker.unwrap_or_default())),
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(|text| encode.text(text)),
            max_keys: Some(i32::try_from(wanted.max_keys).unwrap_or(MAX_KEYS)),
            encoding_type: input.encoding_type,
            common_prefixes: Some(encode.prefixes(page.prefixes)),
            contents: Some(encode.objects(page.objects)),
            ..ListObjectsOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn page(&self, ctx: &Ctx, bucket: &Bucket, wanted: &Wanted) -> S3Result<Page> {
        let mut page = Page::default();
        if wanted.max_keys == 0 {
            return Ok(page);
        }
        match (&bucket.revision, wanted.prefix.split_once('/')) {
            (Some(revision), _) => self.add_paths(ctx, bucket, revision, "", wanted, &mut page).await?,
            (None, Some((start, _))) => {
                // A prefix that can be no ref has nothing below it.
                if let Ok(revision) = Revision::parse(start) {
                    self.add_paths(ctx, bucket, &revision, &format!("{start}/"), wanted, &mut page).await?;
                }
            }
            (None, None) => self.add_refs(ctx, bucket, wanted, &mut page).await?,
        }
        Ok(page)
    }

    /// The refs whose name begins with the prefix: as common prefixes, or with all that is below them.
    async fn add_refs(&self, ctx: &Ctx, bucket: &Bucket, wanted: &Wanted, page: &mut Page) -> S3Result<()> {
        for folder in self.ref_folders(ctx, bucket, &wanted.prefix).await? {
            if page.len() == wanted.max_keys {
                page.is_truncated = true;
                return Ok(());
            }
            if wanted.delimiter.as_deref() == Some("/") {
                if wanted.after.as_deref().is_none_or(|after| folder.as_str() > after) {
                    page.prefixes.push(folder);
                }
                continue;
            }
            let revision =
                Revision::parse(folder.trim_end_matches('/')).map_err(|error| refuse::error(ctx, error, What::Key))?;
            self.add_paths(ctx, bucket, &revision, &folder, wanted, page).await?;
            if page.is_truncated {
                return Ok(());
            }
        }
        Ok(())
    }

    /// `<ref>/` of all branches and tags, in the order of keys.
    async fn ref_folders(&self, ctx: &Ctx, bucket: &Bucket, prefix: &str) -> S3Result<Vec<String>> {
        let data = &self.state.data;
        let mut folders = Vec::new();
        for is_tags in [false, true] {
            let mut page = PageRequest::default();
            loop {
                let listed = if is_tags {
                    list_tags(ctx, data, &bucket.repository, page.clone()).await
                } else {
                    list_branches(ctx, data, &bucket.repository, page.clone()).await
                };
                let listed = listed.map_err(|error| refuse::error(ctx, error, What::Bucket))?;
                folders.extend(listed.items.iter().map(|named| format!("{}/", named.name)));
                match listed.next {
                    Some(next) => page.page_token = Some(next.encode()),
                    None => break,
                }
            }
        }
        folders.retain(|folder| folder.starts_with(prefix));
        folders.sort_unstable();
        Ok(folders)
    }

    /// Paths of one ref, whose keys begin with `folder`.
    async fn add_paths(
        &self,
        ctx: &Ctx,
        bucket: &Bucket,
        revision: &Revision,
        folder: &str,
        wanted: &Wanted,
        page: &mut Page,
    ) -> S3Result<()> {
        let start_after = match wanted.after.as_deref() {
            None => None,
            Some(after) => match after.strip_prefix(folder) {
                Some(path) => Some(path.to_owned()),
                None if after < folder => None,
                None => return Ok(()),
            },
        };
        let request = ListObjects {
            prefix: wanted.prefix.strip_prefix(folder).unwrap_or_default().to_owned(),
            delimiter: wanted.delimiter.clone(),
            start_after,
            page_token: None,
            max_keys: wanted.max_keys - page.len(),
        };
        let listed = match list_objects(ctx, &self.state.data, &bucket.repository, revision, request).await {
            Ok(listed) => listed,
            // To S3, a ref that does not exist is a folder in which nothing is.
            Err(error) if error.code() == Code::NotFound => return Ok(()),
            Err(error) => return Err(refuse::error(ctx, error, What::Key)),
        };
        for item in listed.items {
            match item {
                Listed::Object { path, entry } => page.objects.push((format!("{folder}{path}"), entry)),
                Listed::Prefix(prefix) => page.prefixes.push(format!("{folder}{prefix}")),
            }
        }
        page.is_truncated = listed.next_page_token.is_some();
        Ok(())
    }
}

fn read_token(token: &str) -> S3Result<String> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| s3_error!(InvalidArgument, "the continuation token is not one of this server's"))
}

/// How keys stand in the answer.
pub(crate) struct Encoding {
    is_url: bool,
}

impl Encoding {
    /// # Errors
    /// `InvalidArgument` for another word than `url`.
    pub(crate) fn of(asked: Option<&EncodingType>) -> S3Result<Self> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self { is_url: false }),
            Some(EncodingType::URL) => Ok(Self { is_url: true }),
            Some(other) => Err(s3_error!(InvalidArgument, "encoding-type is {other:?}; the only one is url")),
        }
    }

    pub(crate) fn text(&self, text: String) -> String {
        if self.is_url { utf8_percent_encode(&text, PLAIN).to_string() } else { text }
    }

    pub(crate) fn prefixes(&self, prefixes: Vec<String>) -> Vec<CommonPrefix> {
        prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(self.text(prefix)) }).collect()
    }

    fn objects(&self, objects: Vec<(String, Entry)>) -> Vec<Object> {
        objects
            .into_iter()
            .map(|(key, entry)| Object {
                e_tag: Some(etag(&entry)),
                key: Some(self.text(key)),
                last_modified: Some(last_modified(&entry)),
                size: Some(size(entry.size_bytes)),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Object::default()
            })
            .collect()
    }
}
