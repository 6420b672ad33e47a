//! Patterns of paths: which changes of a commit start a pipeline.

use globset::{Glob, GlobBuilder, GlobSetBuilder};

/// Whether one of the paths is meant by one of the patterns (`train/**`); no pattern means every path.
pub fn matches_any<'p>(patterns: &[String], mut paths: impl Iterator<Item = &'p str>) -> bool {
    if patterns.is_empty() {
        return paths.next().is_some();
    }
    let mut set = GlobSetBuilder::new();
    // Those that lint refuses may stand in files of before it did.
    for glob in patterns.iter().filter_map(|pattern| glob(pattern).ok()) {
        set.add(glob);
    }
    set.build().is_ok_and(|set| paths.any(|path| set.is_match(path)))
}

/// As elsewhere, `*` stays within a folder and `**` does not.
fn glob(pattern: &str) -> Result<Glob, String> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.map_err(|error| error.kind().to_string())
}

/// Why a text is no pattern of paths, or means none; `None` when it is one.
pub(super) fn refusal(pattern: &str) -> Option<String> {
    if pattern.starts_with('!') {
        return Some("patterns that leave paths out (`!…`) are not known; list what counts".to_owned());
    }
    if pattern.starts_with('/') || pattern.ends_with('/') {
        return Some("paths begin and end without a slash; write `train/**` for all in a folder".to_owned());
    }
    if pattern.split('/').any(|part| part.contains("**") && part != "**") {
        let why = if pattern.contains('{') {
            "`**` stands alone between slashes, and not beside braces or commas; write a pattern for each: `train/**`, `test/**`"
        } else {
            "`**` stands alone between slashes; write for instance `**/*.csv`"
        };
        return Some(why.to_owned());
    }
    glob(pattern).err()
}
