//! Code of jobs: a git commit and what differed from it, laid out once for each state.

use std::path::{Path, PathBuf};

use lathe_api::pipelines::bundles::{self, fetch, unusable};
use lathe_core::{Code, Error, Project, Result};
use lathe_workflows::code::get_code;

use super::Work;
use crate::caches;

/// The folder with a state of the code, and the folder in it where the pipeline's file is.
pub(super) async fn prepare(work: &Work, project: &Project, code_id: &str) -> Result<(PathBuf, String)> {
    let code = get_code(&work.ctx(project), &work.rooms.workflows, code_id).await?;
    let root = work.folder.join("code");
    let place = root.join(code_id);
    if place.is_dir() {
        caches::mark(&place);
        return Ok((place, code.folder));
    }
    tokio::fs::create_dir_all(&root).await.map_err(unusable)?;
    // Laid out aside and moved into its place whole: two attempts at once make it twice, and one of them is kept.
    let aside = tempfile::tempdir_in(&root).map_err(unusable)?;
    let (bundle, tree) = (aside.path().join("bundle"), aside.path().join("tree"));
    fetch(&work.rooms.objects, &code.bundle, &bundle).await?;
    let shown = |path: &Path| path.display().to_string();
    git(aside.path(), &["clone", "--quiet", "--no-checkout", &shown(&bundle), &shown(&tree)]).await?;
    git(&tree, &["checkout", "--quiet", "--detach", &code.commit]).await?;
    if !code.diff.is_empty() {
        let diff = aside.path().join("diff");
        tokio::fs::write(&diff, &code.diff).await.map_err(unusable)?;
        git(&tree, &["apply", "--whitespace=nowarn", &shown(&diff)]).await?;
    }
    // What the code is, whatever commits led to it: the commit's tree, and what differed from it.
    let tree_id = git(&tree, &["rev-parse", "HEAD^{tree}"]).await?;
    let tree_id = format!("{} {}", tree_id.trim(), blake3::hash(code.diff.as_bytes()).to_hex());
    tokio::fs::write(tree_file(&place), tree_id).await.map_err(unusable)?;
    tokio::fs::remove_dir_all(tree.join(".git")).await.map_err(unusable)?;
    match tokio::fs::rename(&tree, &place).await {
        Ok(()) => {}
        Err(_) if place.is_dir() => {}
        Err(error) => return Err(unusable(error)),
    }
    Ok((place, code.folder))
}

/// What the code in a folder is, for the cache; the folder in it from which a command starts is part of that.
pub(super) fn tree_of(place: &Path, folder: &str) -> Result<String> {
    let tree = std::fs::read_to_string(tree_file(place)).map_err(unusable)?;
    Ok(format!("{} {folder}", tree.trim()))
}

fn tree_file(place: &Path) -> PathBuf {
    place.with_extension("tree")
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let done = bundles::git(folder, arguments).await;
    done.map_err(|error| match error.code() {
        Code::InvalidArgument => Error::invalid(format!("the pushed code cannot be laid out: {}", error.message())),
        _ => error,
    })
}
