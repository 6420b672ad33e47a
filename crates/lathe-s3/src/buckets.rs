//! Repositories as buckets.

use http::StatusCode;
use lathe_core::{Code, Ctx};
use lathe_data::commits::{Log, log};
use lathe_data::listing::{ListObjects, list_objects};
use lathe_data::refs::list_branches;
use lathe_data::repositories::{
    CreateRepository, Layout, PageRequest, create_repository, delete_repository, get_repository, list_repositories,
};
use lathe_data::{RepositoryName, Revision};
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

impl Door {
    pub(crate) async fn buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let ctx = self.caller(&request).await?;
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
        let owner = Owner { id: Some(ctx.project.to_string()), ..Owner::default() };
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), owner: Some(owner), ..Default::default() }))
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
        let create = CreateRepository { layout: Layout::Flat, ..CreateRepository::named(repository.clone()) };
        match create_repository(&ctx, &self.state.data, create).await {
            Ok(_) => {
                let location = Some(format!("/{name}"));
                Ok(S3Response::new(CreateBucketOutput { location }))
            }
            Err(error) if error.code() == Code::AlreadyExists => {
                match get_repository(&ctx, &self.state.data, &repository).await {
                    Ok(_) => Err(s3_error!(BucketAlreadyOwnedByYou, "repository {name:?} exists in this project")),
                    Err(_) => Err(refuse::error(&ctx, error, What::Bucket)),
                }
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
        if self.has_content(&ctx, &bucket.repository).await? {
            return Err(s3_error!(
                BucketNotEmpty,
                "repository {} has files or a history; delete it through the native API or the UI",
                bucket.repository
            ));
        }
        delete_repository(&ctx, &self.state.data, &bucket.repository)
            .await
            .map_err(|error| refuse::error(&ctx, error, What::Bucket))?;
        Ok(S3Response::with_status(DeleteBucketOutput::default(), StatusCode::NO_CONTENT))
    }

    async fn has_content(&self, ctx: &Ctx, repository: &RepositoryName) -> S3Result<bool> {
        let data = &self.state.data;
        let refused = |error| refuse::error(ctx, error, What::Bucket);
        let branches = list_branches(ctx, data, repository, PageRequest::default()).await.map_err(refused)?;
        for branch in branches.items {
            let revision = Revision::from(branch.name);
            let history = Log { from: revision.clone(), page_token: None, max_results: 2 };
            let is_first = log(ctx, data, repository, history).await.map_err(refused)?.commits.len() < 2;
            let any = ListObjects { max_keys: 1, ..ListObjects::default() };
            let listed = list_objects(ctx, data, repository, &revision, any).await.map_err(refused)?;
            if !is_first || !listed.items.is_empty() {
                return Ok(true);
            }
        }
        Ok(branches.next.is_some())
    }
}
