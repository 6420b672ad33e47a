//! The code that jobs run: a commit of the user's repository, and what differed from it.

use lathe_core::{Action, Ctx, Error, Event, Kind, Name, Project, Result};
use lathe_db::FutureExt as _;
use lathe_objects::ObjectHash;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Workflows, store};

/// The longest difference that is kept.
const MAX_DIFF_BYTES: usize = 4 * 1024 * 1024;
const MAX_TEXT_BYTES: usize = 1_024;

/// A state of a code repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// BLAKE3 over all below, as hex.
    pub id: String,
    /// A git bundle that holds the commit, as an object.
    pub bundle: ObjectHash,
    /// The repository's name: its address without protocol and password, or the name of its folder.
    pub repository: String,
    /// The commit, as hex.
    pub commit: String,
    /// The folder of the pipeline's file, seen from the repository's own; empty for that itself.
    pub folder: String,
    /// What differed from the commit, as `git apply` reads it; empty when nothing did.
    pub diff: String,
}

impl Code {
    /// What the ledger calls the commit.
    pub(crate) fn name(&self, project: &Project) -> Name {
        Name::new(project, Kind::Code, format!("{}@{}", self.repository, self.commit))
    }
}

/// What a state of code is pushed with; the bundle is an object already.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PushCode {
    /// See [`Code::repository`].
    pub repository: String,
    /// See [`Code::commit`].
    pub commit: String,
    /// See [`Code::folder`].
    pub folder: String,
    /// See [`Code::diff`].
    pub diff: String,
}

impl PushCode {
    /// Checks that the parts have their form.
    ///
    /// # Errors
    /// `InvalidArgument` naming the part.
    pub fn check(&self) -> Result<()> {
        let is_hex = self.commit.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !is_hex || !matches!(self.commit.len(), 40 | 64) {
            return Err(Error::invalid(format!(
                "{:?} is no git commit: 40 or 64 hex digits are expected",
                self.commit
            )));
        }
        let is_plain = |text: &str| text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control);
        if self.repository.is_empty() || !is_plain(&self.repository) {
            return Err(Error::invalid("the code repository's name is empty, too long, or holds control characters"));
        }
        let escapes = self.folder.split('/').any(|part| matches!(part, "." | "..")) || self.folder.starts_with('/');
        if escapes || !is_plain(&self.folder) {
            return Err(Error::invalid(format!("folder {:?} is not below the repository", self.folder)));
        }
        if self.diff.len() > MAX_DIFF_BYTES {
            return Err(Error::invalid(format!(
                "the difference from the commit is {} bytes, and {MAX_DIFF_BYTES} are kept",
                self.diff.len()
            ))
            .with_hint("commit your changes, or keep data out of the code repository"));
        }
        if self.diff.contains('\0') {
            return Err(Error::invalid("the difference from the commit holds a NUL character"));
        }
        Ok(())
    }

    fn with_bundle(self, bundle: ObjectHash) -> Code {
        let PushCode { repository, commit, folder, diff } = self;
        let mut hasher = blake3::Hasher::new();
        for part in [repository.as_str(), &commit, &folder, &diff] {
            // The length before each part: no two states make the same text.
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        Code { id: hasher.finalize().to_hex().to_string(), bundle, repository, commit, folder, diff }
    }
}

/// Stores a state of code whose bundle is an object, which whoever calls has found to hold the commit. It takes the place of an earlier
/// bundle of the same commit. `None` for the bundle takes one that was pushed for the same commit.
///
/// # Errors
/// `InvalidArgument` for parts without their form, `NotFound` when no bundle of the commit was pushed.
pub async fn push_code(ctx: &Ctx, workflows: &Workflows, push: PushCode, bundle: Option<ObjectHash>) -> Result<Code> {
    ctx.authorize(Action::Write)?;
    push.check()?;
    let is_given = bundle.is_some();
    let bundle = match bundle {
        Some(bundle) => bundle,
        None => store::pipelines::find_bundle(&workflows.db, &ctx.project, &push.repository, &push.commit)
            .await?
            .ok_or_else(|| {
                Error::not_found(format!("commit {} of `{}` was not pushed yet", push.commit, push.repository))
                    .with_hint("send the bundle, too")
            })?,
    };
    let code = push.with_bundle(bundle);
    let (ctx, stored) = (ctx.clone(), code.clone());
    let stored = workflows.db.write(move |tx| {
        async move {
            let is_new = store::pipelines::insert_code(tx, &ctx.project, &stored, ctx.now_ms()).await?;
            let is_replaced = is_given && store::pipelines::replace_bundle(tx, &ctx.project, &stored).await?;
            if !is_new && !is_replaced {
                return Ok(());
            }
            let detail = json!({ "code": stored.id, "folder": stored.folder, "diff_bytes": stored.diff.len() });
            tx.record(&ctx, Event::new("code.pushed", stored.name(&ctx.project), detail)).await
        }
        .boxed()
    });
    stored.await?;
    Ok(code)
}

/// Whether a bundle of the commit was pushed.
///
/// # Errors
/// `InvalidArgument` for parts without their form.
pub async fn is_pushed(ctx: &Ctx, workflows: &Workflows, push: &PushCode) -> Result<bool> {
    ctx.authorize(Action::Read)?;
    push.check()?;
    let found = store::pipelines::find_bundle(&workflows.db, &ctx.project, &push.repository, &push.commit).await?;
    Ok(found.is_some())
}

/// A state of code.
///
/// # Errors
/// `NotFound`.
pub async fn get_code(ctx: &Ctx, workflows: &Workflows, id: &str) -> Result<Code> {
    ctx.authorize(Action::Read)?;
    let found = store::pipelines::find_code(&workflows.db, &ctx.project, id).await?;
    found.ok_or_else(|| Error::not_found(format!("code {id:?} does not exist")))
}
