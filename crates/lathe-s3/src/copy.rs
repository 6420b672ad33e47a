//! Copying files without their bytes.

use lathe_core::Ctx;
use lathe_data::Revision;
use lathe_data::objects::{Conditions, CopySource as Source, copy_object};
use s3s::dto::{CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, MetadataDirective};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::address::{Bucket, write_refused};
use crate::door::Door;
use crate::objects::{attached, conditions, etag, last_modified};

impl Door {
    pub(crate) async fn copy(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let ctx = self.caller(&request).await?;
        let input = request.input;
        let data = &self.state.data;
        let bucket = Bucket::find(&ctx, data, &input.bucket).await?;
        let (branch, path) = bucket.locate_branch(&input.key)?;
        let if_match = input.copy_source_if_match;
        let source =
            self.source(&ctx, &input.copy_source, conditions(if_match, input.copy_source_if_none_match)).await?;
        let is_replaced =
            input.metadata_directive.is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        let replace = is_replaced.then(|| attached(input.content_type, input.metadata, Conditions::default()));
        let copied = copy_object(&ctx, data, &source, &bucket.repository, &branch, &path, replace).await;
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

    /// The file that a copy is made of, if it is what the request's conditions ask for.
    pub(crate) async fn source(&self, ctx: &Ctx, source: &CopySource, wanted: Conditions) -> S3Result<Source> {
        let CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(s3_error!(NotImplemented, "copy from bucket/key; access points do not exist here"));
        };
        let bucket = Bucket::find(ctx, &self.state.data, bucket).await?;
        let (located, entry) = self.entry(ctx, &bucket, key, version_id.as_deref()).await?;
        wanted
            .check(&located.path, Some(&entry))
            .map_err(|error| s3_error!(PreconditionFailed, "{}", error.message()))?;
        let revision: Revision = located.revision;
        Ok(Source { repository: bucket.repository, revision, path: located.path })
    }
}
