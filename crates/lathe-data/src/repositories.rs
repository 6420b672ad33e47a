//! Repositories: files under version control, each a bucket of the server and owned by one project.

use lathe_core::{Action, Ctx, Error, Event, Kind, Name, Page, PageToken, Result};
use lathe_db::FutureExt as _;
use serde_json::{Value, json};

use crate::commits::{Commit, NewCommit};
use crate::refs::{Ref, RefKind};
use crate::store::{self, RepoKey};
use crate::{Data, RefName, RepositoryName, validate};

const MAX_PAGE: usize = 1_000;
/// The message of the commit that every repository begins with.
const FIRST_MESSAGE: &str = "Repository created";

/// How S3 clients address a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// `s3://repository/ref/path`.
    #[default]
    Ref,
    /// `s3://repository/path`, on the default branch: for clients that know of no refs.
    Flat,
}

impl Layout {
    /// The layout as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Layout::Ref => "ref",
            Layout::Flat => "flat",
        }
    }

    /// Parses a layout's name.
    ///
    /// # Errors
    /// `InvalidArgument` for any other word.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "ref" => Ok(Layout::Ref),
            "flat" => Ok(Layout::Flat),
            _ => Err(Error::invalid(format!("layout {text:?} does not exist; layouts are ref and flat"))),
        }
    }
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name, unique in its project.
    pub name: RepositoryName,
    /// How S3 clients address it.
    pub layout: Layout,
    /// The branch that is meant when none is named.
    pub default_branch: RefName,
    /// What it is for.
    pub description: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
}

/// What a new repository is made from.
#[derive(Debug, Clone)]
pub struct CreateRepository {
    /// A name that no repository of the server has.
    pub name: RepositoryName,
    /// How S3 clients address it.
    pub layout: Layout,
    /// The first branch.
    pub default_branch: RefName,
    /// What it is for.
    pub description: String,
}

impl CreateRepository {
    /// A repository with branch `main`.
    pub fn named(name: RepositoryName) -> Self {
        Self { name, layout: Layout::default(), default_branch: RefName::main(), description: String::new() }
    }
}

/// Which page of a list.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// 1-1,000.
    pub max_results: usize,
    /// The previous page's token.
    pub page_token: Option<String>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { max_results: MAX_PAGE, page_token: None }
    }
}

impl PageRequest {
    /// The token, the limit, and the limit with one row more as SQL wants it.
    pub(crate) fn read(&self, query: &str) -> Result<(PageToken, usize, i64)> {
        let limit = validate::limit("max_results", self.max_results, MAX_PAGE)?;
        let token = PageToken::read(self.page_token.as_deref(), query)?;
        Ok((token, limit, i64::try_from(limit + 1).unwrap_or(i64::MAX)))
    }
}

/// Makes a repository with one branch and one commit that holds nothing.
///
/// # Errors
/// `AlreadyExists` when the project has a repository of this name; `InvalidArgument` for a description that is too long.
pub async fn create_repository(ctx: &Ctx, data: &Data, request: CreateRepository) -> Result<Repository> {
    ctx.authorize(Action::Write)?;
    let CreateRepository { name, layout, default_branch, description } = request;
    validate::description(&description)?;
    let root = data.nodes.write_empty(ctx.now_ms()).await?;
    let repository = Repository { name, layout, default_branch, description, created_at_ms: ctx.now_ms() };
    let commit = NewCommit { root, message: FIRST_MESSAGE.to_owned(), ..NewCommit::default() }.made_by(ctx, &[]);
    let ctx = ctx.clone();
    data.db
        .write(move |tx| {
            async move {
                let key = store::repositories::new_key()?;
                if !store::repositories::insert(tx, &ctx.project, key, &repository).await? {
                    return Err(Error::already_exists(format!(
                        "project `{}` has a repository `{}` already; choose another name",
                        ctx.project, repository.name
                    )));
                }
                store::commits::insert(tx, key, &commit).await?;
                let branch = Ref {
                    name: repository.default_branch.clone(),
                    kind: RefKind::Branch,
                    commit_id: commit.id.clone(),
                    updated_at_ms: ctx.now_ms(),
                };
                store::refs::insert(tx, key, &branch).await?;
                let detail = json!({
                    "layout": repository.layout.as_str(), "default_branch": repository.default_branch.as_str(),
                });
                tx.record(&ctx, event(&ctx, "data.repository_created", &repository.name, detail)).await?;
                Ok(repository)
            }
            .boxed()
        })
        .await
}

/// A repository of the request's project.
///
/// # Errors
/// `NotFound`, also when another project has it.
pub async fn get_repository(ctx: &Ctx, data: &Data, name: &RepositoryName) -> Result<Repository> {
    ctx.authorize(Action::Read)?;
    find(ctx, data, name).await.map(|(_, repository)| repository)
}

/// The project's repositories, by name.
///
/// # Errors
/// `InvalidArgument` for a bad page.
pub async fn list_repositories(ctx: &Ctx, data: &Data, page: PageRequest) -> Result<Page<Repository>> {
    ctx.authorize(Action::Read)?;
    let (token, limit, rows) = page.read("data.repositories")?;
    let repositories = store::repositories::list(&data.db, &ctx.project, token.offset_sql(), rows).await?;
    Ok(Page::from_overread(repositories, &token, limit))
}

/// Deletes a repository with all its branches, tags, commits and staged changes.
///
/// # Errors
/// `NotFound`.
pub async fn delete_repository(ctx: &Ctx, data: &Data, name: &RepositoryName) -> Result<()> {
    delete(ctx, data, name, Deletes::Everything).await
}

/// Deletes a repository in which nothing is and never was: it has its first commit alone, nothing staged and no upload under way.
///
/// # Errors
/// `NotFound`; `Conflict` when there is more, also when it came while this ran.
pub async fn delete_empty_repository(ctx: &Ctx, data: &Data, name: &RepositoryName) -> Result<()> {
    delete(ctx, data, name, Deletes::Empty).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deletes {
    Everything,
    Empty,
}

async fn delete(ctx: &Ctx, data: &Data, name: &RepositoryName, what: Deletes) -> Result<()> {
    ctx.authorize(Action::Administer)?;
    let (key, repository) = find(ctx, data, name).await?;
    let ctx = ctx.clone();
    data.db
        .write(move |tx| {
            async move {
                if !store::repositories::close(tx, key).await? {
                    return Err(not_found(&repository.name));
                }
                if what == Deletes::Empty && store::repositories::has_content(tx, key).await? {
                    return Err(Error::conflict(format!(
                        "repository `{}` has files, a history or uploads under way",
                        repository.name
                    )));
                }
                store::repositories::delete(tx, key).await?;
                tx.record(&ctx, event(&ctx, "data.repository_deleted", &repository.name, json!({}))).await
            }
            .boxed()
        })
        .await
}

pub(crate) async fn find(ctx: &Ctx, data: &Data, name: &RepositoryName) -> Result<(RepoKey, Repository)> {
    store::repositories::find(&data.db, &ctx.project, name).await?.ok_or_else(|| not_found(name))
}

pub(crate) async fn find_key(ctx: &Ctx, data: &Data, name: &RepositoryName) -> Result<RepoKey> {
    find(ctx, data, name).await.map(|(key, _)| key)
}

pub(crate) fn not_found(name: &RepositoryName) -> Error {
    Error::not_found(format!("repository `{name}` does not exist"))
}

/// An event of the repository itself.
pub(crate) fn event(ctx: &Ctx, action: &'static str, name: &RepositoryName, detail: Value) -> Event {
    Event::new(action, Name::new(&ctx.project, Kind::Data, name), detail)
}

/// An event of one of its commits.
pub(crate) fn commit_event(
    ctx: &Ctx,
    action: &'static str,
    name: &RepositoryName,
    commit: &Commit,
    detail: Value,
) -> Event {
    Event::new(action, Name::commit(&ctx.project, name.as_str(), commit.id.as_str()), detail)
}
