//! Walking the graph of commits.

use std::collections::{BTreeMap, HashMap};

use lathe_core::{Error, Result};

use crate::commits::Commit;
use crate::store::{self, RepoKey};
use crate::{CommitId, Data};

/// How many commits of a line of first parents one statement reads.
const LINE: i64 = 128;

/// Reads commits of a repository, a line of first parents at a time.
#[derive(Debug)]
pub(crate) struct History<'d> {
    data: &'d Data,
    key: RepoKey,
    known: HashMap<CommitId, Commit>,
}

impl<'d> History<'d> {
    pub(crate) fn new(data: &'d Data, key: RepoKey) -> Self {
        Self { data, key, known: HashMap::new() }
    }

    pub(crate) async fn get(&mut self, id: &CommitId) -> Result<Commit> {
        if let Some(commit) = self.known.get(id) {
            return Ok(commit.clone());
        }
        let line = store::commits::line(&self.data.db, self.key, id, LINE).await?;
        let found = line.first().cloned();
        self.known.extend(line.into_iter().map(|commit| (commit.id.clone(), commit)));
        found.ok_or_else(|| Error::not_found(format!("commit `{id}` does not exist")))
    }

    /// The Nth first parent; `None` when there are fewer.
    pub(crate) async fn ancestor(&mut self, mut commit: Commit, back: u32) -> Result<Option<Commit>> {
        if i64::from(back) > commit.height {
            return Ok(None);
        }
        for _ in 0..back {
            let Some(parent) = commit.parents.first() else { return Ok(None) };
            commit = self.get(parent).await?;
        }
        Ok(Some(commit))
    }

    /// Visits the frontier's commits and all their ancestors, each once, children before parents; stops when `visit` says so.
    ///
    /// Height decides the order, so whatever is visited has no descendant that comes later: the frontier alone is where to go
    /// on.
    pub(crate) async fn next(&mut self, frontier: &mut Frontier) -> Result<Option<(Commit, Reach)>> {
        let Some((_, (commit, reach))) = frontier.commits.pop_last() else { return Ok(None) };
        for parent in &commit.parents {
            let parent = self.get(parent).await?;
            frontier.add(parent, reach);
        }
        Ok(Some((commit, reach)))
    }

    /// The youngest common ancestor: of two commits, the one of the greatest height that both descend from or are.
    pub(crate) async fn common_ancestor(&mut self, ours: &Commit, theirs: &Commit) -> Result<Commit> {
        let mut frontier = Frontier::default();
        frontier.add(ours.clone(), Reach { ours: true, theirs: false });
        frontier.add(theirs.clone(), Reach { ours: false, theirs: true });
        while let Some((commit, reach)) = self.next(&mut frontier).await? {
            if reach.ours && reach.theirs {
                return Ok(commit);
            }
        }
        Err(Error::internal("two commits of a repository have no common ancestor"))
    }
}

/// From which of two sides a commit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reach {
    ours: bool,
    theirs: bool,
}

/// Commits that are to be visited, the highest first.
#[derive(Debug, Default)]
pub(crate) struct Frontier {
    commits: BTreeMap<(i64, CommitId), (Commit, Reach)>,
}

impl Frontier {
    pub(crate) fn add(&mut self, commit: Commit, reach: Reach) {
        let place = (commit.height, commit.id.clone());
        let (_, known) = self.commits.entry(place).or_insert((commit, Reach::default()));
        known.ours |= reach.ours;
        known.theirs |= reach.theirs;
    }

    /// The commits it holds, for the token of the next page.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &CommitId> {
        self.commits.keys().map(|(_, id)| id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }
}
