//! Multipart uploads.

use futures::FutureExt as _;
use http::StatusCode;
use lathe_core::{Code, Ctx, Error};
use lathe_data::objects::{Conditions, read_object};
use lathe_data::uploads::{
    self, Chosen, CompleteUpload, Completion, CreateUpload, NamedPart, PartFault, Upload, UploadName, abort_upload,
    choose_parts, complete_upload, create_upload, get_upload, list_parts, list_uploads, put_part,
};
use lathe_data::{Data, Etag, ObjectKey, RefName};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Checksum, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CopyPartResult, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload, Part, Range as RangeHeader, UploadPartCopyInput, UploadPartCopyOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use crate::address::{Bucket, write_refused};
use crate::body::{self, Outcome};
use crate::checksums::Announced;
use crate::completion::{self, Claims};
use crate::completions::{Completions, Done, Turn};
use crate::copy::source_conditions;
use crate::door::Door;
use crate::listing::Encoding;
use crate::objects::{attached, conditions, etag, timestamp};
use crate::refuse::{self, What};
use crate::upload_pages::{Begun, Wanted, page_of};

/// The completion of a larger upload is answered before it is done: clients wait about a minute for the first byte.
const LARGE_BYTES: u64 = 64 * 1024 * 1024;

/// Where an upload goes.
struct Target {
    bucket: Bucket,
    branch: RefName,
    path: ObjectKey,
}

impl Target {
    fn name<'a>(&'a self, upload_id: &'a str) -> UploadName<'a> {
        UploadName { repository: &self.bucket.repository, branch: &self.branch, path: &self.path, upload_id }
    }
}

impl Door {
    async fn target(&self, ctx: &Ctx, bucket: &str, key: &str) -> S3Result<Target> {
        let bucket = Bucket::find(ctx, &self.state.data, bucket).await?;
        let (branch, path) = bucket.locate_branch(key)?;
        Ok(Target { bucket, branch, path })
    }

    pub(crate) async fn begin_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let ctx = self.caller(&request).await?;
        let CreateMultipartUploadInput {
            bucket, key, content_type, metadata, checksum_algorithm, checksum_type, ..
        } = request.input;
        let announced = Announced::read(checksum_algorithm.as_ref(), checksum_type.as_ref())?;
        let Target { bucket: found, branch, path } = self.target(&ctx, &bucket, &key).await?;
        let data = &self.state.data;
        let object = attached(content_type, metadata, Conditions::default());
        let new = CreateUpload { object, checksum: announced.map(Announced::to_text) };
        let upload_id = match create_upload(&ctx, data, &found.repository, &branch, &path, new).await {
            Ok(upload_id) => upload_id,
            Err(error) => return Err(write_refused(&ctx, data, &found, &branch, error).await),
        };
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(upload_id),
            checksum_algorithm: announced.map(Announced::algorithm),
            checksum_type: announced.map(Announced::kind),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    pub(crate) async fn put_upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let target = self.target(&ctx, &input.bucket, &input.key).await?;
        let claims = body::claims!(input);
        let (stream, outcome) = body::checked(input.body, claims, &request.headers, request.trailing_headers)?;
        let number = part_number(input.part_number)?;
        let stored = put_part(&ctx, &self.state.data, target.name(&input.upload_id), number, stream).await;
        let part = stored.map_err(|error| outcome.refusal().unwrap_or_else(|| of_upload(&ctx, error)))?;
        let checksums = outcome.checksums();
        Ok(S3Response::new(UploadPartOutput {
            checksum_crc32: checksums.checksum_crc32,
            checksum_crc32c: checksums.checksum_crc32c,
            checksum_crc64nvme: checksums.checksum_crc64nvme,
            checksum_sha1: checksums.checksum_sha1,
            checksum_sha256: checksums.checksum_sha256,
            e_tag: Some(tag_of(&part.etag)),
            ..UploadPartOutput::default()
        }))
    }

    pub(crate) async fn copy_upload_part(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let data = &self.state.data;
        let target = self.target(&ctx, &input.bucket, &input.key).await?;
        let entry = self.source(&ctx, &input.copy_source, source_conditions!(input)).await?;
        let range = match input.copy_source_range {
            None => None,
            Some(text) => {
                let refused =
                    || s3_error!(InvalidRange, "{text:?} is no range of a file of {} bytes", entry.size_bytes);
                let range = RangeHeader::parse(&text).map_err(|_| refused())?;
                Some(range.check(entry.size_bytes).map_err(|_| refused())?)
            }
        };
        let read =
            read_object(&ctx, data, entry, range).await.map_err(|error| refuse::error(&ctx, error, What::Key))?;
        let number = part_number(input.part_number)?;
        let part = put_part(&ctx, data, target.name(&input.upload_id), number, read.stream)
            .await
            .map_err(|error| of_upload(&ctx, error))?;
        let result = CopyPartResult {
            e_tag: Some(tag_of(&part.etag)),
            last_modified: Some(timestamp(part.uploaded_at_ms)),
            ..CopyPartResult::default()
        };
        Ok(S3Response::new(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() }))
    }

    pub(crate) async fn end_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let data = &self.state.data;
        let target = self.target(&ctx, &input.bucket, &input.key).await?;
        let turn = self.completions.turn(&input.upload_id, ctx.now_ms());
        let upload = match get_upload(&ctx, data, target.name(&input.upload_id)).await {
            Ok(upload) => upload,
            Err(error) => return answered_before(&ctx, &turn, &input, error).await,
        };
        let (wanted, claims) = read_completion(&input, &upload)?;
        let chosen = match choose_parts(&ctx, data, target.name(&input.upload_id), wanted).await {
            Ok(chosen) => chosen,
            Err(error) => return answered_before(&ctx, &turn, &input, error).await,
        };
        let completion = match chosen {
            Chosen::Parts(completion) => *completion,
            Chosen::Refused(PartFault::Unknown, why) => return Err(s3_error!(InvalidPart, "{why}")),
            Chosen::Refused(PartFault::Order, why) => return Err(s3_error!(InvalidPartOrder, "{why}")),
            Chosen::Refused(PartFault::TooSmall, why) => return Err(s3_error!(EntityTooSmall, "{why}")),
            Chosen::Refused(PartFault::Size, why) => return Err(s3_error!(InvalidRequest, "{why}")),
        };
        let is_large = completion.size_bytes() > LARGE_BYTES;
        let completions = self.completions.clone();
        let ending = Ending { ctx, data: data.clone(), completions, asked: input, completion, claims };
        // A task of its own: a client that gives up waiting must not make the next one begin anew.
        let work = tokio::spawn(ending.run(turn));
        let end = async move { work.await.unwrap_or_else(|error| Err(S3Error::internal_error(error))) };
        let output = if is_large {
            CompleteMultipartUploadOutput { future: Some(end.boxed()), ..CompleteMultipartUploadOutput::default() }
        } else {
            end.await?
        };
        Ok(S3Response::new(output))
    }

    pub(crate) async fn drop_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let target = self.target(&ctx, &input.bucket, &input.key).await?;
        abort_upload(&ctx, &self.state.data, target.name(&input.upload_id))
            .await
            .map_err(|error| of_upload(&ctx, error))?;
        Ok(S3Response::with_status(AbortMultipartUploadOutput::default(), StatusCode::NO_CONTENT))
    }

    pub(crate) async fn parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let target = self.target(&ctx, &input.bucket, &input.key).await?;
        let after = u32::try_from(input.part_number_marker.unwrap_or_default())
            .map_err(|_| s3_error!(InvalidArgument, "part-number-marker is below zero"))?;
        let limit = usize::try_from(input.max_parts.unwrap_or(i32::MAX))
            .map_err(|_| s3_error!(InvalidArgument, "max-parts is below zero"))?
            .min(uploads::MAX_LISTED);
        let upload = get_upload(&ctx, &self.state.data, target.name(&input.upload_id));
        let announced = announced(&upload.await.map_err(|error| of_upload(&ctx, error))?);
        let (parts, has_more) = list_parts(&ctx, &self.state.data, target.name(&input.upload_id), after, limit)
            .await
            .map_err(|error| of_upload(&ctx, error))?;
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        Ok(S3Response::new(ListPartsOutput {
            is_truncated: Some(has_more),
            next_part_number_marker: parts.last().filter(|_| has_more).map(|part| number(part.number)),
            parts: Some(
                parts
                    .iter()
                    .map(|part| Part {
                        e_tag: Some(tag_of(&part.etag)),
                        last_modified: Some(timestamp(part.uploaded_at_ms)),
                        part_number: Some(number(part.number)),
                        size: Some(part.size_bytes),
                        ..Part::default()
                    })
                    .collect(),
            ),
            bucket: Some(input.bucket),
            key: Some(input.key),
            max_parts: i32::try_from(limit).ok(),
            part_number_marker: input.part_number_marker,
            upload_id: Some(input.upload_id),
            checksum_algorithm: announced.map(Announced::algorithm),
            checksum_type: announced.map(Announced::kind),
            ..ListPartsOutput::default()
        }))
    }

    pub(crate) async fn uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let bucket = Bucket::find(&ctx, &self.state.data, &input.bucket).await?;
        let branch = bucket.revision.as_ref().and_then(|revision| revision.as_name()).cloned();
        let found = list_uploads(&ctx, &self.state.data, &bucket.repository, branch.as_ref())
            .await
            .map_err(|error| refuse::error(&ctx, error, What::Bucket))?;
        let found = found.into_iter().map(|upload| Begun {
            key: bucket.key_of(&upload.branch, &upload.path),
            upload_id: upload.upload_id,
            at_ms: upload.created_at_ms,
        });
        let wanted = Wanted {
            prefix: input.prefix.unwrap_or_default(),
            delimiter: input.delimiter.filter(|delimiter| !delimiter.is_empty()),
            after_key: input.key_marker.unwrap_or_default(),
            after_id: input.upload_id_marker.filter(|id| !id.is_empty()),
            limit: usize::try_from(input.max_uploads.unwrap_or(i32::MAX))
                .map_err(|_| s3_error!(InvalidArgument, "max-uploads is below zero"))?
                .min(uploads::MAX_LISTED),
        };
        let page = page_of(found.collect(), &wanted);
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        let uploads = page.uploads.into_iter().map(|upload| MultipartUpload {
            initiated: Some(timestamp(upload.at_ms)),
            key: Some(encoding.text(upload.key)),
            upload_id: Some(upload.upload_id),
            ..MultipartUpload::default()
        });
        let (next_key_marker, next_upload_id_marker) = page.next.unzip();
        Ok(S3Response::new(ListMultipartUploadsOutput {
            uploads: Some(uploads.collect()),
            common_prefixes: Some(encoding.prefixes(page.prefixes)),
            is_truncated: Some(next_key_marker.is_some()),
            next_key_marker: next_key_marker.map(|key| encoding.text(key)),
            next_upload_id_marker: next_upload_id_marker.filter(|id| !id.is_empty()),
            bucket: Some(input.bucket),
            delimiter: wanted.delimiter.map(|delimiter| encoding.text(delimiter)),
            encoding_type: input.encoding_type,
            key_marker: Some(encoding.text(wanted.after_key)),
            max_uploads: i32::try_from(wanted.limit).ok(),
            prefix: Some(encoding.text(wanted.prefix)),
            upload_id_marker: wanted.after_id,
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

/// A completion whose parts are chosen.
struct Ending {
    ctx: Ctx,
    data: Data,
    completions: Completions,
    asked: CompleteMultipartUploadInput,
    completion: Completion,
    claims: Claims,
}

impl Ending {
    /// Makes the file, unless the turn before this one made it.
    async fn run(self, turn: Turn) -> S3Result<CompleteMultipartUploadOutput> {
        let Self { ctx, data, completions, asked, completion, claims } = self;
        let mut last = turn.lock().await;
        if let Some(done) = last.as_ref().filter(|done| done.asked == asked) {
            return Ok(completed(done));
        }
        let outcome = Outcome::default();
        let check = |parts| completion::verified(parts, claims, outcome.clone());
        let entry = complete_upload(&ctx, &data, completion, check)
            .await
            .map_err(|error| outcome.refusal().unwrap_or_else(|| of_upload(&ctx, error)))?;
        let parts = asked.multipart_upload.as_ref().and_then(|named| named.parts.as_ref()).map_or(0, Vec::len);
        let output = completed(last.insert(Done { asked, entry, checksums: outcome.checksums() }));
        drop(last);
        completions.keep(turn, parts, ctx.now_ms());
        Ok(output)
    }
}

/// What a completion that is refused answers: if its upload has ended or is about to, what the same completion before it came to.
async fn answered_before(
    ctx: &Ctx,
    turn: &Turn,
    asked: &CompleteMultipartUploadInput,
    error: Error,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    if error.code() == Code::NotFound {
        let last = turn.lock().await;
        if let Some(done) = last.as_ref().filter(|done| done.asked == *asked) {
            return Ok(S3Response::new(completed(done)));
        }
    }
    Err(of_upload(ctx, error))
}

fn completed(done: &Done) -> CompleteMultipartUploadOutput {
    let Done { asked, entry, checksums } = done;
    let checksums = checksums.clone();
    CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", asked.bucket, asked.key)),
        bucket: Some(asked.bucket.clone()),
        key: Some(asked.key.clone()),
        checksum_crc32: checksums.checksum_crc32,
        checksum_crc32c: checksums.checksum_crc32c,
        checksum_crc64nvme: checksums.checksum_crc64nvme,
        checksum_sha1: checksums.checksum_sha1,
        checksum_sha256: checksums.checksum_sha256,
        checksum_type: checksums.checksum_type,
        e_tag: Some(etag(entry)),
        ..CompleteMultipartUploadOutput::default()
    }
}

/// What a completion wants, and what it claims.
fn read_completion(input: &CompleteMultipartUploadInput, upload: &Upload) -> S3Result<(CompleteUpload, Claims)> {
    let named = input.multipart_upload.as_ref().and_then(|upload| upload.parts.clone()).unwrap_or_default();
    let (parts, checksums) = read_parts(named)?;
    let whole = Checksum {
        checksum_crc32: input.checksum_crc32.clone(),
        checksum_crc32c: input.checksum_crc32c.clone(),
        checksum_crc64nvme: input.checksum_crc64nvme.clone(),
        checksum_sha1: input.checksum_sha1.clone(),
        checksum_sha256: input.checksum_sha256.clone(),
        ..Checksum::default()
    };
    let claims = Claims::read(checksums, &whole, input.checksum_type.as_ref(), announced(upload))?;
    let size_bytes = input.mpu_object_size.map(u64::try_from).transpose();
    let size_bytes = size_bytes.map_err(|_| s3_error!(InvalidRequest, "x-amz-mp-object-size is below zero"))?;
    let conditions = conditions(input.if_match.clone(), input.if_none_match.clone());
    Ok((CompleteUpload { parts, size_bytes, conditions }, claims))
}

fn announced(upload: &Upload) -> Option<Announced> {
    upload.checksum.as_deref().and_then(Announced::parse)
}

/// The parts that a completion names, and the checksums that it says they have.
fn read_parts(named: Vec<CompletedPart>) -> S3Result<(Vec<NamedPart>, Vec<Checksum>)> {
    let mut parts = Vec::with_capacity(named.len());
    let mut checksums = Vec::with_capacity(named.len());
    for part in named {
        let number = part_number(part.part_number.unwrap_or_default())?;
        let etag = part.e_tag.map(|tag| {
            Etag::parse(tag.value()).ok_or_else(|| s3_error!(InvalidPart, "part {number} has an ETag that is none"))
        });
        parts.push(NamedPart { number, etag: etag.transpose()? });
        checksums.push(Checksum {
            checksum_crc32: part.checksum_crc32,
            checksum_crc32c: part.checksum_crc32c,
            checksum_crc64nvme: part.checksum_crc64nvme,
            checksum_sha1: part.checksum_sha1,
            checksum_sha256: part.checksum_sha256,
            ..Checksum::default()
        });
    }
    Ok((parts, checksums))
}

fn tag_of(etag: &Etag) -> ETag {
    ETag::Strong(etag.to_string())
}

fn part_number(number: i32) -> S3Result<u32> {
    u32::try_from(number).map_err(|_| s3_error!(InvalidArgument, "part number {number} is not between 1 and 10000"))
}

fn of_upload(ctx: &Ctx, error: Error) -> S3Error {
    refuse::error(ctx, error, What::Upload)
}
