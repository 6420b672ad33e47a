//! What is kept of what an attempt prints: of a long log its end, below a line that says so. Only a log that is longer than all that is kept
//! has such a line, so none of a command's own is taken for one.

use std::ops::Range;

use futures::TryStreamExt as _;
use lathe_core::{Ctx, PipelineRunId, Result};
use lathe_objects::ObjectHash;

use crate::{JobKey, Workflows, store};

/// What an attempt's command prints, in its folder.
pub const LOG_FILE: &str = "output.log";
/// What is kept of a log.
pub const MAX_LOG_BYTES: u64 = 64 * 1024 * 1024;
/// The line is not longer.
const MAX_LINE_BYTES: u64 = 128;

const BEFORE: &str = "[lathe] the first ";
const BEHIND: &str = " bytes are not kept: of a log, its last 64 MiB are\n";

/// The line above the end of a log whose beginning is not kept.
pub fn cut_line(cut_bytes: u64) -> String {
    format!("{BEFORE}{cut_bytes}{BEHIND}")
}

/// A part of a stored log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPart {
    /// What was printed.
    pub bytes: Vec<u8>,
    /// Where the next part begins.
    pub next_offset: u64,
    /// Whether this is the last one.
    pub is_last: bool,
}

/// What an attempt printed, from an offset on; `None` when nothing is stored. An offset counts from what was printed first, also where that is
/// not kept: whoever followed the log while it was written goes on where they were.
///
/// # Errors
/// `NotFound` for the job, and what the object store answers.
pub async fn read_log(
    ctx: &Ctx,
    workflows: &Workflows,
    (run, job, attempt): (&PipelineRunId, &JobKey, i64),
    offset: u64,
    max_bytes: u64,
) -> Result<Option<LogPart>> {
    crate::jobs::get_job(ctx, workflows, run, job).await?;
    let Some((hash, size)) = store::attempts::find_log(&workflows.db, run, job, attempt).await? else {
        return Ok(None);
    };
    let (hash, size) = (ObjectHash::parse(&hash)?, size.unsigned_abs());
    let cut = match size > MAX_LOG_BYTES {
        true => read_cut(&read(workflows, &hash, 0..MAX_LINE_BYTES).await?),
        false => Cut::default(),
    };
    let begin = if offset < cut.bytes { 0 } else { offset - cut.bytes + cut.line_bytes };
    let end = size.min(begin.saturating_add(max_bytes));
    let bytes = if begin < end { read(workflows, &hash, begin..end).await? } else { Vec::new() };
    Ok(Some(LogPart { bytes, next_offset: offset.max(end + cut.bytes - cut.line_bytes), is_last: end >= size }))
}

async fn read(workflows: &Workflows, hash: &ObjectHash, range: Range<u64>) -> Result<Vec<u8>> {
    let append = |mut all: Vec<u8>, chunk: bytes::Bytes| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    };
    workflows.objects().get(hash, Some(range)).await?.stream.try_fold(Vec::new(), append).await
}

/// Where what was printed stands in a stored log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cut {
    /// How many bytes of the beginning are not there.
    bytes: u64,
    /// How long the line is that stands for them.
    line_bytes: u64,
}

/// What a stored log lacks, by how it begins.
fn read_cut(beginning: &[u8]) -> Cut {
    let read = || {
        let line = beginning.split_inclusive(|byte| *byte == b'\n').next()?;
        let bytes = str::from_utf8(line).ok()?.strip_prefix(BEFORE)?.strip_suffix(BEHIND)?.parse().ok()?;
        Some(Cut { bytes, line_bytes: line.len() as u64 })
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = cut_line(u64::MAX);
        assert!(line.len() as u64 <= MAX_LINE_BYTES);
        let cut = Cut { bytes: u64::MAX, line_bytes: line.len() as u64 };
        assert_eq!(read_cut(format!("{line}more\n").as_bytes()), cut);
        assert_eq!(read_cut(b"x\n"), Cut::default());
    }
}
