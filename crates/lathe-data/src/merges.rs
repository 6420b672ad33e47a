//! Merging a ref into a branch, and taking a commit back.

use std::collections::BTreeMap;

use futures::stream;
use globset::{Glob, GlobMatcher};
use lathe_core::{Action, Ctx, Error, Name, Result};
use serde_json::json;

use crate::commits::{ATTEMPTS, Commit, Move, NewCommit, Origin, busy, tally_detail, uncommitted};
use crate::entry::Entry;
use crate::history::History;
use crate::refs::{self, require_branch_kind};
use crate::repositories::{commit_event, find_key};
use crate::store::{self, RepoKey};
use crate::tree::{self, Applied, Change, Clash, Merger, NodeHash, Step};
use crate::{Data, ObjectKey, RefName, RepositoryName, Revision, uses, validate};

/// So many conflicts are answered; the rest is counted.
const MAX_CONFLICTS: usize = 1_000;

/// Which side of a conflict is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What is merged.
    Source,
    /// The branch that is merged into.
    Dest,
}

impl Side {
    /// Parses a side's name.
    ///
    /// # Errors
    /// `InvalidArgument` for any other word.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "source" => Ok(Side::Source),
            "dest" => Ok(Side::Dest),
            _ => Err(Error::invalid(format!("{text:?} is no side of a merge; sides are source and dest"))),
        }
    }
}

/// How conflicts are decided: by the first pattern that the path matches, else by `otherwise`, else not at all.
#[derive(Debug, Clone, Default)]
pub struct Strategy {
    rules: Vec<(GlobMatcher, Side)>,
    otherwise: Option<Side>,
}

impl Strategy {
    /// A strategy of patterns such as `labels/**`, and of a side for all other paths.
    ///
    /// # Errors
    /// `InvalidArgument` for a pattern that is none.
    pub fn new<'p>(rules: impl IntoIterator<Item = (&'p str, Side)>, otherwise: Option<Side>) -> Result<Self> {
        let compile = |(pattern, side): (&str, Side)| match Glob::new(pattern) {
            Ok(glob) => Ok((glob.compile_matcher(), side)),
            Err(error) => Err(Error::invalid(format!("{pattern:?} is not a pattern of paths: {error}"))),
        };
        Ok(Self { rules: rules.into_iter().map(compile).collect::<Result<_>>()?, otherwise })
    }

    fn side(&self, path: &str) -> Option<Side> {
        self.rules.iter().find(|(pattern, _)| pattern.is_match(path)).map(|(_, side)| *side).or(self.otherwise)
    }
}

/// When a branch that is behind just moves, without a commit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FastForward {
    /// Whenever it can.
    #[default]
    Allowed,
    /// Never: a merge is always a commit.
    Never,
    /// Only so: anything else is refused.
    Only,
}

/// What is merged, and how.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The state that is merged.
    pub source: Revision,
    /// The branch that is merged into.
    pub dest: RefName,
    /// The message of the merge's commit; one is made when there is none.
    pub message: Option<String>,
    /// How conflicts are decided.
    pub strategy: Strategy,
    /// Whether the branch may just move.
    pub fast_forward: FastForward,
}

/// A path that both sides changed, differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Where.
    pub path: ObjectKey,
    /// What their common ancestor holds.
    pub base: Option<Entry>,
    /// What the source holds.
    pub source: Option<Entry>,
    /// What the branch holds.
    pub dest: Option<Entry>,
}

/// How a merge ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Merged {
    /// The branch held it already.
    UpToDate(Commit),
    /// The branch moved to a commit that was there.
    FastForward(Commit),
    /// The branch moved to a new commit.
    Committed(Commit),
    /// Nothing moved: somebody must decide.
    Conflicts {
        /// The first of them, in order of the paths.
        conflicts: Vec<Conflict>,
        /// All of them.
        count: u64,
    },
}

/// Merges a ref into a branch. A run merges what it has read of the source, if it has; else what is there now, each time anew.
///
/// # Errors
/// `NotFound` for the repository, the branch or the source; `Conflict` when something is staged on the branch, or when only a
/// fast-forward would do and none can be. Conflicts of paths are an answer, not an error.
pub async fn merge(ctx: &Ctx, data: &Data, repository: &RepositoryName, request: Merge) -> Result<Merged> {
    ctx.authorize(Action::Write)?;
    let Merge { source, dest, message, strategy, fast_forward } = request;
    if let Some(message) = &message {
        validate::message(message)?;
    }
    let key = find_key(ctx, data, repository).await?;
    for _ in 0..ATTEMPTS {
        let theirs = uses::resolve_unheld(ctx, data, key, &source).await?;
        let ours = head(data, key, &dest).await?;
        let base = History::new(data, key).common_ancestor(&ours, &theirs).await?;
        if base.id == theirs.id {
            return Ok(Merged::UpToDate(ours));
        }
        let name = |commit: &Commit| Name::commit(&ctx.project, repository.as_str(), commit.id.as_str());
        if base.id == ours.id && fast_forward != FastForward::Never {
            let detail = json!({
                "branch": dest.as_str(), "source": source.to_string(), "fast_forward": true, "previous": ours.id.as_str(),
            });
            let merged = commit_event(ctx, "data.merged", repository, &theirs, detail);
            let source = uses::MergedFrom { commit_id: theirs.id.clone(), name: name(&theirs), made: None };
            let moving = Move { key, branch: dest.clone(), from: ours.id, to: theirs.clone(), is_new: false };
            if moving.run(ctx, data, Origin::Merged(source), merged).await?.is_some() {
                return Ok(Merged::FastForward(theirs));
            }
            continue;
        }
        if fast_forward == FastForward::Only {
            return Err(Error::conflict(format!(
                "`{dest}` cannot just move to `{source}`: it has commits that `{source}` has not"
            )));
        }
        let applied = match three_way(ctx, data, [base.root, ours.root, theirs.root], &strategy).await? {
            Ok(applied) => applied,
            Err(conflicts) => return Ok(conflicts),
        };
        let message = message.clone().unwrap_or_else(|| format!("Merge {source} into {dest}"));
        let commit = NewCommit::of(&applied, message, BTreeMap::new()).made_by(ctx, &[&ours, &theirs]);
        let merged = commit_event(ctx, "data.merged", repository, &commit, tally_detail(&dest, applied.tally))
            .with_edge(name(&ours), name(&commit), "committed")
            .with_edge(name(&theirs), name(&commit), "merged");
        let source = uses::MergedFrom { commit_id: theirs.id.clone(), name: name(&theirs), made: Some(name(&commit)) };
        let moving = Move { key, branch: dest.clone(), from: ours.id, to: commit.clone(), is_new: true };
        if moving.run(ctx, data, Origin::Merged(source), merged).await?.is_some() {
            return Ok(Merged::Committed(commit));
        }
    }
    Err(busy(&dest))
}

/// What is taken back.
#[derive(Debug, Clone)]
pub struct Revert {
    /// The branch that gets the commit.
    pub branch: RefName,
    /// The commit whose changes are taken back. Of a merge, what it brought into its branch.
    pub commit: Revision,
    /// The message; one is made when there is none.
    pub message: Option<String>,
    /// How conflicts are decided: `Source` takes back, `Dest` keeps.
    pub strategy: Strategy,
}

/// Makes a commit that takes back the changes of another one.
///
/// # Errors
/// `NotFound` for the repository, the branch or the commit; `Conflict` when something is staged on the branch;
/// `InvalidArgument` for a commit without a parent.
pub async fn revert(ctx: &Ctx, data: &Data, repository: &RepositoryName, request: Revert) -> Result<Merged> {
    ctx.authorize(Action::Write)?;
    let Revert { branch, commit: reverted, message, strategy } = request;
    if let Some(message) = &message {
        validate::message(message)?;
    }
    let key = find_key(ctx, data, repository).await?;
    let reverted = uses::resolve_unheld(ctx, data, key, &reverted).await?;
    let Some(parent) = reverted.parents.first() else {
        return Err(Error::invalid("the first commit of a repository cannot be reverted: there was nothing before it"));
    };
    let parent = History::new(data, key).get(parent).await?;
    for _ in 0..ATTEMPTS {
        let ours = head(data, key, &branch).await?;
        let applied = match three_way(ctx, data, [reverted.root, ours.root, parent.root], &strategy).await? {
            Ok(applied) => applied,
            Err(conflicts) => return Ok(conflicts),
        };
        if applied.tally.is_nothing() {
            return Ok(Merged::UpToDate(ours));
        }
        let default_message = || format!("Revert {}\n\n{}", reverted.id.short(), reverted.message);
        let message = message.clone().unwrap_or_else(default_message);
        let commit = NewCommit::of(&applied, message, BTreeMap::new()).made_by(ctx, &[&ours]);
        let name = |commit: &Commit| Name::commit(&ctx.project, repository.as_str(), commit.id.as_str());
        let made = commit_event(ctx, "data.reverted", repository, &commit, tally_detail(&branch, applied.tally))
            .with_edge(name(&ours), name(&commit), "committed")
            .with_edge(name(&reverted), name(&commit), "reverted");
        let source =
            uses::MergedFrom { commit_id: reverted.id.clone(), name: name(&reverted), made: Some(name(&commit)) };
        let moving = Move { key, branch: branch.clone(), from: ours.id, to: commit.clone(), is_new: true };
        if moving.run(ctx, data, Origin::Merged(source), made).await?.is_some() {
            return Ok(Merged::Committed(commit));
        }
    }
    Err(busy(&branch))
}

/// The commit of a branch on which nothing is staged.
async fn head(data: &Data, key: RepoKey, branch: &RefName) -> Result<Commit> {
    let named = store::refs::find(&data.db, key, branch).await?;
    require_branch_kind(named.map(|named| named.kind), branch)?;
    if store::staged::is_any(&data.db, key, branch).await? {
        return Err(uncommitted(branch));
    }
    refs::resolve(data, key, &branch.clone().into()).await
}

/// Merges trees: base, ours, theirs. Conflicts are looked for first, so that none is found after nodes were written.
async fn three_way(
    ctx: &Ctx,
    data: &Data,
    roots: [NodeHash; 3],
    strategy: &Strategy,
) -> Result<std::result::Result<Applied, Merged>> {
    let [base, ours, theirs] = roots;
    let (mut conflicts, mut count) = (Vec::new(), 0);
    let mut merger = Merger::start(&data.nodes, base, ours, theirs).await?;
    while let Some(step) = merger.next().await? {
        let Step { path, theirs, clash: Some(Clash { base, ours }) } = step else { continue };
        if strategy.side(&path).is_some() {
            continue;
        }
        count += 1;
        if conflicts.len() < MAX_CONFLICTS {
            conflicts.push(Conflict { path: ObjectKey::from_trusted(path), base, source: theirs, dest: ours });
        }
    }
    if count > 0 {
        return Ok(Err(Merged::Conflicts { conflicts, count }));
    }
    let merger = Merger::start(&data.nodes, base, ours, theirs).await?;
    let changes = stream::try_unfold(merger, |mut merger| async move {
        loop {
            let Some(Step { path, theirs, clash }) = merger.next().await? else { return Ok(None) };
            if clash.is_none() || strategy.side(&path) == Some(Side::Source) {
                let change: Change = (path, theirs);
                return Ok(Some((change, merger)));
            }
        }
    });
    tree::apply(&data.nodes, ctx.now_ms(), ours, Box::pin(changes)).await.map(Ok)
}
