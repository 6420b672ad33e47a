//! The operations that are served, and who calls them.

use async_trait::async_trait;
use http::{HeaderMap, Uri};
use lathe_access::Access;
use lathe_core::{Clock, Ctx};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{Credentials, S3Auth, SecretKey};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CopyObjectInput, CopyObjectOutput, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteBucketInput, DeleteBucketOutput, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, DeleteObjectsInput, DeleteObjectsOutput,
    GetBucketLocationInput, GetBucketLocationOutput, GetBucketVersioningInput, GetBucketVersioningOutput,
    GetObjectInput, GetObjectOutput, GetObjectTaggingInput, GetObjectTaggingOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    ListPartsInput, ListPartsOutput, PutObjectInput, PutObjectOutput, PutObjectTaggingInput, PutObjectTaggingOutput,
    UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use crate::completions::Completions;
use crate::{S3State, refuse, unsupported};

/// Serves S3's operations.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) state: S3State,
    pub(crate) completions: Completions,
}

impl Door {
    pub(crate) fn new(state: S3State) -> Self {
        Self { state, completions: Completions::default() }
    }

    /// The context of a request, whose signature was checked before.
    pub(crate) async fn caller<T>(&self, request: &S3Request<T>) -> S3Result<Ctx> {
        let known = request.credentials.as_ref().or_else(|| request.extensions.get::<Credentials>());
        let credentials = known.ok_or_else(|| s3_error!(AccessDenied, "sign the request"))?;
        let request_id = new_request_id();
        let resolved = self.state.access.resolve_s3_key(&credentials.access_key, request_id.clone()).await;
        resolved.map_err(|error| refuse::caller(&error, &request_id))
    }
}

fn new_request_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

/// Finds the secret that a signature is checked with.
pub(crate) struct Keys {
    pub(crate) access: Access,
}

#[async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.access
            .s3_secret(access_key)
            .map(SecretKey::from)
            .map_err(|error| refuse::caller(&error, &new_request_id()))
    }
}

/// How long a presigned URL may hold at the most, in seconds: a week, as in S3.
const MAX_EXPIRES_SECONDS: i64 = 7 * 24 * 60 * 60;

/// Lets in whoever has signed, unless the signature is to hold for longer than S3 lets it.
pub(crate) struct Signed;

#[async_trait]
impl S3Access for Signed {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        admit(request.credentials().is_some(), request.uri(), request.headers())
    }
}

/// # Errors
/// `AccessDenied` for what is not signed, `AuthorizationQueryParametersError` for a signature that holds for too long, and
/// `NotImplemented` for headers that ask for what is not served.
pub(crate) fn admit(is_signed: bool, uri: &Uri, headers: &HeaderMap) -> S3Result<()> {
    if !is_signed {
        return Err(s3_error!(AccessDenied, "sign the request"));
    }
    if uri.query().and_then(expires_in_seconds).is_some_and(|seconds| seconds > MAX_EXPIRES_SECONDS) {
        return Err(s3_error!(
            AuthorizationQueryParametersError,
            "a presigned URL may hold for a week (604800 seconds)"
        ));
    }
    unsupported::check(headers)
}

/// For how long a presigned URL is to hold: from when it was signed, or, with the older signature, from now. What is no number was
/// refused before.
fn expires_in_seconds(query: &str) -> Option<i64> {
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| value(name).and_then(|text| text.parse::<i64>().ok());
    number("X-Amz-Expires").or_else(|| Some(number("Expires")? - Clock::System.now_ms() / 1000))
}

macro_rules! serve {
    ($($operation:ident($input:ident) -> $output:ident = $method:ident;)*) => {
        #[async_trait]
        impl S3 for Door {
            $(async fn $operation(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.$method(request).await
            })*
        }
    };
}

serve! {
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = drop_upload;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = end_upload;
    copy_object(CopyObjectInput) -> CopyObjectOutput = copy;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = make_bucket;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = begin_upload;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = drop_bucket;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = delete;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput = delete_tags;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = delete_many;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = location;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = versioning;
    get_object(GetObjectInput) -> GetObjectOutput = get;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = tags;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = find_bucket;
    head_object(HeadObjectInput) -> HeadObjectOutput = head;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = buckets;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = uploads;
    list_objects(ListObjectsInput) -> ListObjectsOutput = list_v1;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = list_v2;
    list_parts(ListPartsInput) -> ListPartsOutput = parts;
    put_object(PutObjectInput) -> PutObjectOutput = put;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = put_tags;
    upload_part(UploadPartInput) -> UploadPartOutput = put_upload_part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = copy_upload_part;
}
