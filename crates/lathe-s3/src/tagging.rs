//! Tags of files. There are none here; clients that copy a file ask for them all the same, and are told so.

use http::StatusCode;
use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::address::Bucket;
use crate::door::Door;

impl Door {
    pub(crate) async fn tags(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let ctx = self.caller(&request).await?;
        let GetObjectTaggingInput { bucket, key, version_id, .. } = request.input;
        let bucket = Bucket::find(&ctx, &self.state.data, &bucket).await?;
        self.entry(&ctx, &bucket, &key, version_id.as_deref()).await?;
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set: Vec::new(), version_id: None }))
    }

    pub(crate) async fn put_tags(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let ctx = self.caller(&request).await?;
        let PutObjectTaggingInput { bucket, key, version_id, tagging, .. } = request.input;
        if !tagging.tag_set.is_empty() {
            return Err(s3_error!(NotImplemented, "tags are not kept here; use x-amz-meta-* of the file instead"));
        }
        let bucket = Bucket::find(&ctx, &self.state.data, &bucket).await?;
        self.entry(&ctx, &bucket, &key, version_id.as_deref()).await?;
        Ok(S3Response::new(PutObjectTaggingOutput::default()))
    }

    pub(crate) async fn delete_tags(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let ctx = self.caller(&request).await?;
        let DeleteObjectTaggingInput { bucket, key, version_id, .. } = request.input;
        let bucket = Bucket::find(&ctx, &self.state.data, &bucket).await?;
        self.entry(&ctx, &bucket, &key, version_id.as_deref()).await?;
        Ok(S3Response::with_status(DeleteObjectTaggingOutput::default(), StatusCode::NO_CONTENT))
    }
}
