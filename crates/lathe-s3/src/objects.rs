//! Reading, writing and deleting files.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use futures::StreamExt as _;
use futures::stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use lathe_core::{Action, Ctx};
use lathe_data::objects::{self, Conditions, PutObject, Tags};
use lathe_data::refs::{get_ref, resolve_ref};
use lathe_data::{Commit, Entry, Etag, RefKind, Revision};
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag, ETagCondition,
    Error as DeleteError, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Metadata, PutObjectInput,
    PutObjectOutput, Range as RangeHeader, StreamingBlob, Timestamp, TimestampFormat,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use crate::address::{Bucket, write_refused};
use crate::body;
use crate::door::Door;
use crate::refuse::{self, What};

/// What S3 says of a file that nobody gave a type.
const DEFAULT_TYPE: &str = "binary/octet-stream";
/// What clients take for a folder.
const FOLDER_TYPE: &str = "application/x-directory";
const MD5_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";
/// How many deletes of one request are under way at the same time: they share commits.
const DELETES_AT_ONCE: usize = 32;
/// S3's limit.
const MAX_DELETES: usize = 1_000;

/// The conditions of a read (RFC 9110, section 13.2.2), or of a copy on its source.
#[derive(Debug, Default)]
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

/// Which kind of condition does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unmet {
    /// It is not the version that was expected.
    Other,
    /// It is the version that the caller has.
    Unchanged,
}

/// Takes the conditions of a read out of its input.
macro_rules! read_conditions {
    ($input:ident) => {
        ReadConditions {
            if_match: $input.if_match,
            if_none_match: $input.if_none_match,
            if_modified_since: $input.if_modified_since,
            if_unmodified_since: $input.if_unmodified_since,
        }
    };
}

impl ReadConditions {
    /// What a reader is told: a version that it has is not sent again.
    fn check(&self, entry: &Entry) -> S3Result<()> {
        match self.unmet(entry) {
            None => Ok(()),
            Some(Unmet::Other) => Err(unexpected()),
            Some(Unmet::Unchanged) => Err(not_modified(entry)),
        }
    }

    /// What somebody who copies is told.
    pub(crate) fn check_source(&self, entry: &Entry) -> S3Result<()> {
        if self.unmet(entry).is_some() { Err(unexpected()) } else { Ok(()) }
    }

    fn unmet(&self, entry: &Entry) -> Option<Unmet> {
        // HTTP dates have no fractions.
        let modified = timestamp(entry.modified_at_ms - entry.modified_at_ms.rem_euclid(1_000));
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition, entry) => return Some(Unmet::Other),
            (None, Some(since)) if modified > *since => return Some(Unmet::Other),
            _ => {}
        }
        let is_unchanged = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => matches(condition, entry),
            (None, Some(since)) => modified <= *since,
            (None, None) => false,
        };
        is_unchanged.then_some(Unmet::Unchanged)
    }
}

fn unexpected() -> S3Error {
    s3_error!(PreconditionFailed, "the file is not what the request's condition asks for")
}

/// Says, as HTTP has it, which version the caller has.
fn not_modified(entry: &Entry) -> S3Error {
    let mut error = s3_error!(NotModified);
    error.set_status_code(StatusCode::NOT_MODIFIED);
    let mut modified = Vec::new();
    let is_written = last_modified(entry).format(TimestampFormat::HttpDate, &mut modified).is_ok();
    let mut headers = HeaderMap::new();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", entry.etag)) {
        headers.insert(header::ETAG, tag);
    }
    if let Some(modified) = HeaderValue::from_bytes(&modified).ok().filter(|_| is_written) {
        headers.insert(header::LAST_MODIFIED, modified);
    }
    error.set_headers(headers);
    error
}

fn matches(condition: &ETagCondition, entry: &Entry) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => Etag::parse(tag.value()) == Some(entry.etag),
    }
}

pub(crate) fn timestamp(at_ms: i64) -> Timestamp {
    Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_millis(at_ms.try_into().unwrap_or_default()))
}

pub(crate) fn last_modified(entry: &Entry) -> Timestamp {
    timestamp(entry.modified_at_ms)
}

pub(crate) fn etag(entry: &Entry) -> ETag {
    ETag::Strong(entry.etag.to_string())
}

pub(crate) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn content_type(entry: &Entry) -> String {
    if entry.content_type.is_empty() { DEFAULT_TYPE.to_owned() } else { entry.content_type.clone() }
}

fn metadata(entry: &Entry) -> Option<Metadata> {
    (!entry.metadata.is_empty()).then(|| entry.metadata.clone().into_iter().collect())
}

/// What a writer attaches to a file.
pub(crate) fn attached(content_type: Option<String>, metadata: Option<Metadata>, conditions: Conditions) -> PutObject {
    let metadata: BTreeMap<_, _> = metadata.unwrap_or_default().into_iter().collect();
    PutObject { content_type: content_type.unwrap_or_default(), metadata, conditions }
}

/// The conditions of a write.
pub(crate) fn conditions(if_match: Option<ETagCondition>, if_none_match: Option<ETagCondition>) -> Conditions {
    let tags = |condition: ETagCondition| match condition {
        ETagCondition::Any => Tags::Any,
        // A tag that no file can have matches none.
        ETagCondition::ETag(tag) => Tags::OneOf(Etag::parse(tag.value()).into_iter().collect()),
    };
    Conditions { if_match: if_match.map(tags), if_none_match: if_none_match.map(tags) }
}

impl Door {
    /// The file of a key; `version_id` is a commit that it is read from.
    pub(crate) async fn entry(
        &self,
        ctx: &Ctx,
        bucket: &Bucket,
        key: &str,
        version_id: Option<&str>,
    ) -> S3Result<Entry> {
        let mut located = bucket.locate(key)?;
        if let Some(version_id) = version_id {
            // A version does not move: a branch or a tag is none.
            located.revision = Revision::parse(version_id)
                .ok()
                .filter(Revision::is_commit)
                .ok_or_else(|| s3_error!(NoSuchVersion, "versionId {version_id:?} is no commit"))?;
        }
        let data = &self.state.data;
        let found = objects::head_object(ctx, data, &bucket.repository, &located.revision, &located.path).await;
        found.map_err(|error| refuse::error(ctx, error, What::Key))
    }

    pub(crate) async fn head(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let bucket = Bucket::find(&ctx, &self.state.data, &input.bucket).await?;
        if let Some(revision) = bucket.folder_ref(&input.key) {
            let commit = self.folder(&ctx, &bucket, &revision).await?;
            return Ok(S3Response::new(HeadObjectOutput {
                content_length: Some(0),
                content_type: Some(FOLDER_TYPE.to_owned()),
                e_tag: Some(empty_etag()),
                last_modified: Some(timestamp(commit.at_ms)),
                ..HeadObjectOutput::default()
            }));
        }
        let entry = self.entry(&ctx, &bucket, &input.key, input.version_id.as_deref()).await?;
        read_conditions!(input).check(&entry)?;
        let part = Part::of(&entry, input.range, input.part_number)?;
        let output = HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(part.length(&entry)),
            content_range: part.content_range(&entry),
            content_type: Some(content_type(&entry)),
            e_tag: Some(etag(&entry)),
            last_modified: Some(last_modified(&entry)),
            metadata: metadata(&entry),
            ..HeadObjectOutput::default()
        };
        Ok(part.respond(output))
    }

    pub(crate) async fn get(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let bucket = Bucket::find(&ctx, &self.state.data, &input.bucket).await?;
        if let Some(revision) = bucket.folder_ref(&input.key) {
            let commit = self.folder(&ctx, &bucket, &revision).await?;
            return Ok(S3Response::new(GetObjectOutput {
                content_length: Some(0),
                content_type: Some(FOLDER_TYPE.to_owned()),
                e_tag: Some(empty_etag()),
                last_modified: Some(timestamp(commit.at_ms)),
                ..GetObjectOutput::default()
            }));
        }
        let entry = self.entry(&ctx, &bucket, &input.key, input.version_id.as_deref()).await?;
        read_conditions!(input).check(&entry)?;
        let part = Part::of(&entry, input.range, input.part_number)?;
        let read = objects::read_object(&ctx, &self.state.data, entry.clone(), part.0.clone())
            .await
            .map_err(|error| refuse::error(&ctx, error, What::Key))?;
        let output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(body::outgoing(read.stream)),
            content_length: Some(part.length(&entry)),
            content_range: part.content_range(&entry),
            content_type: Some(content_type(&entry)),
            e_tag: Some(etag(&entry)),
            last_modified: Some(last_modified(&entry)),
            metadata: metadata(&entry),
            ..GetObjectOutput::default()
        };
        Ok(part.respond(output))
    }

    pub(crate) async fn put(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let data = &self.state.data;
        let bucket = Bucket::find(&ctx, data, &input.bucket).await?;
        if let Some(revision) = bucket.folder_ref(&input.key) {
            self.require_branch(&ctx, &bucket, &revision).await?;
            require_empty(input.body).await?;
            return Ok(S3Response::new(PutObjectOutput { e_tag: Some(empty_etag()), ..PutObjectOutput::default() }));
        }
        let (branch, path) = bucket.locate_branch(&input.key)?;
        let claims = body::claims!(input);
        let (stream, outcome) = body::checked(input.body, claims, &request.headers, request.trailing_headers)?;
        let put = attached(input.content_type, input.metadata, conditions(input.if_match, input.if_none_match));
        let entry = match objects::put_object(&ctx, data, &bucket.repository, &branch, &path, put, stream).await {
            Ok(entry) => entry,
            Err(error) => {
                return Err(match outcome.refusal() {
                    Some(refusal) => refusal,
                    None => write_refused(&ctx, data, &bucket, &branch, error).await,
                });
            }
        };
        let checksums = outcome.checksums();
        Ok(S3Response::new(PutObjectOutput {
            checksum_crc32: checksums.checksum_crc32,
            checksum_crc32c: checksums.checksum_crc32c,
            checksum_crc64nvme: checksums.checksum_crc64nvme,
            checksum_sha1: checksums.checksum_sha1,
            checksum_sha256: checksums.checksum_sha256,
            e_tag: Some(etag(&entry)),
            ..PutObjectOutput::default()
        }))
    }

    pub(crate) async fn delete(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let ctx = self.caller(&request).await?;
        let DeleteObjectInput { bucket, key, if_match, version_id, .. } = request.input;
        let bucket = Bucket::find(&ctx, &self.state.data, &bucket).await?;
        self.delete_key(&ctx, &bucket, &key, version_id.as_deref(), conditions(if_match, None)).await?;
        Ok(S3Response::with_status(DeleteObjectOutput::default(), StatusCode::NO_CONTENT))
    }

    pub(crate) async fn delete_many(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let ctx = self.caller(&request).await?;
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        let bucket = Bucket::find(&ctx, &self.state.data, &bucket).await?;
        if delete.objects.len() > MAX_DELETES {
            return Err(s3_error!(MalformedXML, "one request deletes up to {MAX_DELETES} keys"));
        }
        let results: Vec<_> = stream::iter(delete.objects)
            .map(|named| {
                let (ctx, bucket) = (&ctx, &bucket);
                async move {
                    let conditions = conditions(named.e_tag.map(ETagCondition::ETag), None);
                    let result =
                        self.delete_key(ctx, bucket, &named.key, named.version_id.as_deref(), conditions).await;
                    (named.key, result)
                }
            })
            .buffered(DELETES_AT_ONCE)
            .collect()
            .await;
        let is_quiet = delete.quiet.unwrap_or_default();
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (key, result) in results {
            match result {
                Ok(()) if is_quiet => {}
                Ok(()) => deleted.push(DeletedObject { key: Some(key), ..DeletedObject::default() }),
                Err(error) => errors.push(DeleteError {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(key),
                    message: error.message().map(str::to_owned),
                    ..DeleteError::default()
                }),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), ..Default::default() }))
    }

    async fn delete_key(
        &self,
        ctx: &Ctx,
        bucket: &Bucket,
        key: &str,
        version_id: Option<&str>,
        conditions: Conditions,
    ) -> S3Result<()> {
        if version_id.is_some() {
            return Err(s3_error!(MethodNotAllowed, "a commit keeps what it holds: delete without versionId"));
        }
        if let Some(revision) = bucket.folder_ref(key) {
            return self.require_branch(ctx, bucket, &revision).await;
        }
        let (branch, path) = bucket.locate_branch(key)?;
        let data = &self.state.data;
        match objects::delete_object(ctx, data, &bucket.repository, &branch, &path, conditions).await {
            Ok(()) => Ok(()),
            Err(error) => Err(write_refused(ctx, data, bucket, &branch, error).await),
        }
    }
}

impl Door {
    /// The commit whose folder is read; there are no bytes in it.
    async fn folder(&self, ctx: &Ctx, bucket: &Bucket, revision: &Revision) -> S3Result<Commit> {
        let found = resolve_ref(ctx, &self.state.data, &bucket.repository, revision).await;
        found.map_err(|error| refuse::error(ctx, error, What::Key))
    }

    /// Refuses a write to the folder of a ref that is no branch. The folder of a branch is always there: clients that make folders before they
    /// write into them, and look after them, are told so, and nothing is stored.
    async fn require_branch(&self, ctx: &Ctx, bucket: &Bucket, revision: &Revision) -> S3Result<()> {
        let refused = |error| refuse::error(ctx, error, What::Key);
        ctx.authorize(Action::Write).map_err(refused)?;
        let named = match revision.as_name() {
            Some(name) => get_ref(ctx, &self.state.data, &bucket.repository, name).await.map_err(refused)?,
            None => return Err(s3_error!(MethodNotAllowed, "{revision} is a commit; only branches can be written to")),
        };
        match named.kind {
            RefKind::Branch => Ok(()),
            RefKind::Tag => Err(s3_error!(MethodNotAllowed, "{revision} is a tag; only branches can be written to")),
        }
    }
}

/// Refuses bytes for what is a folder.
async fn require_empty(body: Option<StreamingBlob>) -> S3Result<()> {
    let Some(mut body) = body else { return Ok(()) };
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| s3_error!(IncompleteBody, "the body ended early or is not well-formed"))?;
        if !chunk.is_empty() {
            return Err(s3_error!(InvalidArgument, "this key is a branch, not a file: a key is <ref>/<path> here"));
        }
    }
    Ok(())
}

fn empty_etag() -> ETag {
    ETag::Strong(MD5_OF_NOTHING.to_owned())
}

/// The part of a file that a read asks for; `None` is all of it.
struct Part(Option<Range<u64>>);

impl Part {
    /// What a range asks for, or the number of a part: where the parts of an upload met is not kept, so that every file has one.
    fn of(entry: &Entry, asked: Option<RangeHeader>, part_number: Option<i32>) -> S3Result<Self> {
        match (part_number, &asked) {
            (None, _) => {}
            (Some(_), Some(_)) => return Err(s3_error!(InvalidRequest, "ask for a range or for a part, not for both")),
            (Some(1), None) if entry.size_bytes == 0 => return Ok(Self(None)),
            (Some(1), None) => return Ok(Self(Some(0..entry.size_bytes))),
            (Some(number @ 2..=10_000), None) => {
                let message = format!("a file has one part here, and {number} is another one; ask for a range");
                let mut refusal = S3Error::with_message(S3ErrorCode::Custom("InvalidPartNumber".into()), message);
                refusal.set_status_code(StatusCode::RANGE_NOT_SATISFIABLE);
                return Err(refusal);
            }
            (Some(number), None) => {
                return Err(s3_error!(InvalidArgument, "part number {number} is not between 1 and 10000"));
            }
        }
        let checked = asked.map(|range| range.check(entry.size_bytes)).transpose();
        let outside = |_| s3_error!(InvalidRange, "the range is outside of a file of {} bytes", entry.size_bytes);
        checked.map(Self).map_err(outside)
    }

    fn length(&self, entry: &Entry) -> i64 {
        size(self.0.as_ref().map_or(entry.size_bytes, |range| range.end - range.start))
    }

    fn content_range(&self, entry: &Entry) -> Option<String> {
        let range = self.0.as_ref()?;
        Some(format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), entry.size_bytes))
    }

    fn respond<T>(&self, output: T) -> S3Response<T> {
        let mut response = S3Response::new(output);
        response.status = self.0.is_some().then_some(StatusCode::PARTIAL_CONTENT);
        response
    }
}
