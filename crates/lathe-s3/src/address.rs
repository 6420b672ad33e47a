//! What a bucket and a key mean.
//!
//! - `repository/ref/path`: the bucket is a repository, the key's first segment a branch, a tag, a commit or `ref~N`.
//! - `repository--ref/path`: the whole bucket is one ref of it, for tools that own a bucket.
//! - `repository/path` of a repository with the layout `flat` (S3's CreateBucket makes those): its default branch.

use lathe_core::{Code, Ctx};
use lathe_data::refs::resolve_ref;
use lathe_data::repositories::{Layout, get_repository};
use lathe_data::{Data, ObjectKey, RefName, RepositoryName, Revision};
use s3s::{S3Result, s3_error};

use crate::refuse::{self, What};

/// A bucket, read.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) repository: RepositoryName,
    /// The ref of every key; without one, a key begins with it.
    pub(crate) revision: Option<Revision>,
}

/// A key, read.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) revision: Revision,
    pub(crate) path: ObjectKey,
}

impl Bucket {
    pub(crate) async fn find(ctx: &Ctx, data: &Data, name: &str) -> S3Result<Self> {
        let (repository, revision) = match name.split_once("--") {
            None => (name, None),
            Some((repository, revision)) => (repository, Some(Revision::parse(revision).map_err(|_| missing(name))?)),
        };
        let repository = RepositoryName::parse(repository).map_err(|_| missing(name))?;
        let found =
            get_repository(ctx, data, &repository).await.map_err(|error| refuse::error(ctx, error, What::Bucket))?;
        let revision = match (revision, found.layout) {
            (None, Layout::Flat) => Some(found.default_branch.into()),
            (None, Layout::Ref) => None,
            // A bucket that is a ref is there when the ref is.
            (Some(revision), _) => {
                let resolved = resolve_ref(ctx, data, &repository, &revision).await;
                resolved.map_err(|error| refuse::error(ctx, error, What::Bucket))?;
                Some(revision)
            }
        };
        Ok(Self { repository, revision })
    }

    /// What a key means for a reader.
    pub(crate) fn locate(&self, key: &str) -> S3Result<Located> {
        let (revision, path) = match &self.revision {
            Some(revision) => (revision.clone(), key),
            None => {
                let (revision, path) = key.split_once('/').unwrap_or((key, ""));
                let revision = Revision::parse(revision).map_err(|_| {
                    s3_error!(NoSuchKey, "{revision:?} is no ref; keys begin with a branch, tag or commit")
                })?;
                (revision, path)
            }
        };
        if path.is_empty() {
            return Err(s3_error!(NoSuchKey, "{key:?} is a ref, not a file: a key is <ref>/<path> here"));
        }
        let path = ObjectKey::parse(path).map_err(|error| s3_error!(InvalidArgument, "{}", error.message()))?;
        Ok(Located { revision, path })
    }

    /// The ref that a key is the folder of: `<ref>/`.
    pub(crate) fn folder_ref(&self, key: &str) -> Option<Revision> {
        if self.revision.is_some() {
            return None;
        }
        Revision::parse(key.strip_suffix('/')?).ok()
    }

    /// What a key means for a writer: only branches can be written to.
    pub(crate) fn locate_branch(&self, key: &str) -> S3Result<(RefName, ObjectKey)> {
        let Located { revision, path } = self.locate(key)?;
        match revision.as_name() {
            Some(name) => Ok((name.clone(), path)),
            None => Err(s3_error!(MethodNotAllowed, "{revision} is a commit; only branches can be written to")),
        }
    }

    /// A path as its key in this bucket.
    pub(crate) fn key_of(&self, branch: &RefName, path: &ObjectKey) -> String {
        if self.revision.is_some() { path.to_string() } else { format!("{branch}/{path}") }
    }
}

fn missing(name: &str) -> s3s::S3Error {
    s3_error!(NoSuchBucket, "bucket {name:?} does not exist")
}

/// A write that the room refused because of its ref: S3 clients know 405 for what cannot be written.
pub(crate) async fn write_refused(
    ctx: &Ctx,
    data: &Data,
    bucket: &Bucket,
    branch: &RefName,
    error: lathe_core::Error,
) -> s3s::S3Error {
    if error.code() == Code::InvalidArgument
        && let Ok(named) = lathe_data::refs::get_ref(ctx, data, &bucket.repository, branch).await
        && named.kind == lathe_data::RefKind::Tag
    {
        return s3_error!(MethodNotAllowed, "{branch} is a tag; only branches can be written to");
    }
    refuse::error(ctx, error, What::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(revision: Option<&str>) -> Bucket {
        Bucket {
            repository: RepositoryName::parse("flights").unwrap(),
            revision: revision.map(|revision| Revision::parse(revision).unwrap()),
        }
    }

    #[test]
    fn a_key_begins_with_its_ref_unless_the_bucket_has_one() {
        let located = bucket(None).locate("main/a/b.csv").unwrap();
        assert_eq!((located.revision.to_string().as_str(), located.path.as_str()), ("main", "a/b.csv"));
        let located = bucket(Some("main~1")).locate("a/b.csv").unwrap();
        assert_eq!((located.revision.to_string().as_str(), located.path.as_str()), ("main~1", "a/b.csv"));
        for (key, code) in
            [("main", "NoSuchKey"), ("main/", "NoSuchKey"), ("a b/x", "NoSuchKey"), ("main/../x", "InvalidArgument")]
        {
            assert_eq!(bucket(None).locate(key).unwrap_err().code().as_str(), code, "{key}");
        }
    }

    #[test]
    fn the_folder_of_a_ref_is_its_name_alone() {
        let folder = |key| bucket(None).folder_ref(key).map(|revision| revision.to_string());
        assert_eq!([folder("main/"), folder("main~1/")].map(Option::unwrap), ["main", "main~1"]);
        assert_eq!([folder("main"), folder("main/x/"), folder("/"), folder("a b/")], [None, None, None, None]);
        assert_eq!(bucket(Some("main")).folder_ref("main/"), None);
    }

    #[test]
    fn only_names_can_be_branches() {
        assert_eq!(bucket(None).locate_branch("main/x").unwrap().0.as_str(), "main");
        for key in ["main~1/x", "0123456789abcdef/x"] {
            assert_eq!(bucket(None).locate_branch(key).unwrap_err().code().as_str(), "MethodNotAllowed", "{key}");
        }
    }
}
