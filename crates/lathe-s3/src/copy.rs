//! Copying files without their bytes.

use http::{HeaderMap, HeaderName, header};
use lathe_core::Ctx;
use lathe_data::Entry;
use lathe_data::objects::{CopyObject, copy_entry};
use s3s::dto::{CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETagCondition, MetadataDirective};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::address::{Bucket, write_refused};
use crate::door::Door;
use crate::objects::{ReadConditions, conditions, etag, last_modified};

/// Takes the conditions of a copy on its source out of its input.
macro_rules! source_conditions {
    ($input:ident) => {
        $crate::objects::ReadConditions {
            if_match: $input.copy_source_if_match,
            if_none_match: $input.copy_source_if_none_match,
            if_modified_since: $input.copy_source_if_modified_since,
            if_unmodified_since: $input.copy_source_if_unmodified_since,
        }
    };
}
pub(crate) use source_conditions;

/// A condition on where a copy goes: the generated input has only those on its source.
fn condition(headers: &HeaderMap, name: &HeaderName) -> S3Result<Option<ETagCondition>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let parsed = ETagCondition::parse_http_header(value.as_bytes());
    parsed.map(Some).map_err(|_| s3_error!(InvalidArgument, "{name} is neither an ETag nor *"))
}

impl Door {
    pub(crate) async fn copy(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let data = &self.state.data;
        let bucket = Bucket::find(&ctx, data, &input.bucket).await?;
        let (branch, path) = bucket.locate_branch(&input.key)?;
        let headers = &request.headers;
        let conditions =
            conditions(condition(headers, &header::IF_MATCH)?, condition(headers, &header::IF_NONE_MATCH)?);
        let source = self.source(&ctx, &input.copy_source, source_conditions!(input)).await?;
        let is_replaced = match input.metadata_directive.as_ref().map(MetadataDirective::as_str) {
            None | Some(MetadataDirective::COPY) => false,
            Some(MetadataDirective::REPLACE) => true,
            Some(other) => {
                return Err(s3_error!(InvalidArgument, "x-amz-metadata-directive is {other:?}; say COPY or REPLACE"));
            }
        };
        let replace = is_replaced.then(|| {
            let metadata = input.metadata.unwrap_or_default().into_iter().collect();
            (input.content_type.unwrap_or_default(), metadata)
        });
        let wanted = CopyObject { replace, conditions };
        let copied = copy_entry(&ctx, data, source, &bucket.repository, &branch, &path, wanted).await;
        let entry = match copied {
            Ok(entry) => entry,
            Err(error) => return Err(write_refused(&ctx, data, &bucket, &branch, error).await),
        };
        let result = CopyObjectResult {
            e_tag: Some(etag(&entry)),
            last_modified: Some(last_modified(&entry)),
            ..CopyObjectResult::default()
        };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
    }

    /// The file that a copy is made of, if it is what the request's conditions ask for. It is found once: whatever is written there meanwhile
    /// is another one.
    pub(crate) async fn source(&self, ctx: &Ctx, source: &CopySource, wanted: ReadConditions) -> S3Result<Entry> {
        let CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(s3_error!(NotImplemented, "copy from bucket/key; access points do not exist here"));
        };
        let bucket = Bucket::find(ctx, &self.state.data, bucket).await?;
        let entry = self.entry(ctx, &bucket, key, version_id.as_deref()).await?;
        wanted.check_source(&entry)?;
        Ok(entry)
    }
}
