//! Repositories as buckets.

use http::StatusCode;
use lathe_core::Code;
use lathe_data::RepositoryName;
use lathe_data::repositories::{
    CreateRepository, Layout, PageRequest, create_repository, delete_empty_repository, list_repositories,
};
use s3s::dto::{
    Bucket as BucketEntry, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput,
    GetBucketLocationInput, GetBucketLocationOutput, GetBucketVersioningInput, GetBucketVersioningOutput,
    HeadBucketInput, HeadBucketOutput, ListBucketsInput, ListBucketsOutput, Owner,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::address::Bucket;
use crate::door::Door;
use crate::objects::timestamp;
use crate::refuse::{self, What};

/// S3's page.
const MAX_BUCKETS: i32 = 10_000;

impl Door {
    pub(crate) async fn buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let ctx = self.caller(&request).await?;
        let ListBucketsInput { prefix, continuation_token, max_buckets, .. } = request.input;
        let most = match max_buckets {
            None => usize::MAX,
            Some(most @ 1..=MAX_BUCKETS) => usize::try_from(most).unwrap_or_default(),
            Some(other) => {
                return Err(s3_error!(InvalidArgument, "max-buckets is {other}; it must be from 1 to {MAX_BUCKETS}"));
            }
        };
        let mut buckets = Vec::new();
        let mut page = PageRequest::default();
        loop {
            let listed = list_repositories(&ctx, &self.state.data, page.clone())
                .await
                .map_err(|error| refuse::error(&ctx, error, What::Bucket))?;
            buckets.extend(listed.items.iter().map(|repository| BucketEntry {
                creation_date: Some(timestamp(repository.created_at_ms)),
                name: Some(repository.name.to_string()),
                ..BucketEntry::default()
            }));
            match listed.next {
                Some(next) => page.page_token = Some(next.encode()),
                None => break,
            }
        }
        // In order of their names; a token is the name that the page before ended with.
        let is_wanted = |name: &String| {
            let is_behind = continuation_token.as_ref().is_none_or(|after| name > after);
            is_behind && prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix.as_str()))
        };
        buckets.retain(|bucket: &BucketEntry| bucket.name.as_ref().is_some_and(is_wanted));
        let is_truncated = buckets.len() > most;
        buckets.truncate(most);
        let next = buckets.last().filter(|_| is_truncated).and_then(|last| last.name.clone());
        let owner = Owner { id: Some(ctx.project.to_string()), ..Owner::default() };
        let owner = Some(owner);
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), continuation_token: next, owner, prefix }))
    }

    pub(crate) async fn find_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        let ctx = self.caller(&request).await?;
        Bucket::find(&ctx, &self.state.data, &request.input.bucket).await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    pub(crate) async fn location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        let ctx = self.caller(&request).await?;
        Bucket::find(&ctx, &self.state.data, &request.input.bucket).await?;
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    /// No status: S3's own versions are not what a repository has.
    pub(crate) async fn versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let ctx = self.caller(&request).await?;
        Bucket::find(&ctx, &self.state.data, &request.input.bucket).await?;
        Ok(S3Response::new(GetBucketVersioningOutput::default()))
    }

    /// Makes a repository with the layout `flat`: whoever knows only S3 need not know of refs.
    pub(crate) async fn make_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let ctx = self.caller(&request).await?;
        let name = request.input.bucket;
        let repository =
            RepositoryName::parse(&name).map_err(|error| s3_error!(InvalidBucketName, "{}", error.message()))?;
        let create = CreateRepository { layout: Layout::Flat, ..CreateRepository::named(repository) };
        match create_repository(&ctx, &self.state.data, create).await {
            Ok(_) => {
                let location = Some(format!("/{name}"));
                Ok(S3Response::new(CreateBucketOutput { location }))
            }
            Err(error) => Err(refuse::error(&ctx, error, What::Bucket)),
        }
    }

    /// Deletes a repository in which nothing is and never was: history is not thrown away by a client that knows of none.
    pub(crate) async fn drop_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let ctx = self.caller(&request).await?;
        let bucket = Bucket::find(&ctx, &self.state.data, &request.input.bucket).await?;
        if bucket.repository.as_str() != request.input.bucket {
            return Err(s3_error!(MethodNotAllowed, "this bucket is a ref of a repository; delete the branch or tag"));
        }
        match delete_empty_repository(&ctx, &self.state.data, &bucket.repository).await {
            Ok(()) => {}
            Err(error) if error.code() == Code::Conflict => {
                return Err(s3_error!(
                    BucketNotEmpty,
                    "{}; delete it through the native API or the UI",
                    error.message()
                ));
            }
            Err(error) => return Err(refuse::error(&ctx, error, What::Bucket)),
        }
        Ok(S3Response::with_status(DeleteBucketOutput::default(), StatusCode::NO_CONTENT))
    }
}
