//! What a command prints, with secrets covered, on its way into the log.

use std::fs::File;
use std::io::{PipeReader, Read as _, Write as _};

use aho_corasick::{AhoCorasick, MatchKind};
use lathe_core::{Error, Result};

/// What stands for a secret.
const COVER: &[u8] = b"***";
/// Shorter lines of a secret are not looked for: they would be found all over the log.
const MIN_LINE_BYTES: usize = 4;

/// Finds secrets and the lines of such that have several, as a command prints them.
#[derive(Debug, Clone)]
pub(super) struct Mask {
    finder: AhoCorasick,
    patterns: Vec<Vec<u8>>,
}

impl Mask {
    /// Looks for these.
    pub(super) fn new(secrets: &[String]) -> Result<Self> {
        let lines =
            secrets.iter().flat_map(|secret| secret.lines().map(str::trim)).filter(|line| line.len() >= MIN_LINE_BYTES);
        let whole = secrets.iter().map(String::as_str).filter(|secret| !secret.is_empty());
        let mut patterns: Vec<Vec<u8>> = whole.chain(lines).map(|text| text.as_bytes().to_vec()).collect();
        patterns.sort_unstable();
        patterns.dedup();
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns);
        let finder = finder.map_err(|error| Error::internal("secrets cannot be looked for").with_source(error))?;
        Ok(Self { finder, patterns })
    }

    /// A text with secrets covered.
    pub(super) fn cover(&self, text: &str) -> String {
        let covers = vec![COVER; self.patterns.len()];
        String::from_utf8_lossy(&self.finder.replace_all_bytes(text.as_bytes(), &covers)).into_owned()
    }

    /// Copies what a command prints into a log until the command and all it started have closed their end.
    pub(super) fn copy(&self, mut from: PipeReader, mut to: File) -> std::io::Result<()> {
        let (mut held, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let length = from.read(&mut buffer)?;
            held.extend_from_slice(buffer.get(..length).unwrap_or_default());
            let out = if length == 0 { self.take(&mut held, 0) } else { self.take_settled(&mut held) };
            to.write_all(&out)?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Takes what more bytes cannot change: all but an end with which a secret may begin.
    fn take_settled(&self, held: &mut Vec<u8>) -> Vec<u8> {
        let longest = self.patterns.iter().map(Vec::len).max().unwrap_or_default();
        let first = held.len().saturating_sub(longest.saturating_sub(1));
        let begins = |at: &usize| {
            let end = held.get(*at..).unwrap_or_default();
            self.patterns.iter().any(|pattern| pattern.len() > end.len() && pattern.starts_with(end))
        };
        let open = (first..held.len()).find(begins).unwrap_or(held.len());
        let left = held.len() - open;
        self.take(held, left)
    }

    /// Takes all but the last `left` bytes, covered. A secret that reaches into those is taken whole, unless it begins there.
    fn take(&self, held: &mut Vec<u8>, left: usize) -> Vec<u8> {
        let open = held.len() - left;
        let (mut out, mut at) = (Vec::with_capacity(open), 0);
        for found in self.finder.find_iter(held.as_slice()).take_while(|found| found.start() < open) {
            out.extend_from_slice(held.get(at..found.start()).unwrap_or_default());
            out.extend_from_slice(COVER);
            at = found.end();
        }
        out.extend_from_slice(held.get(at..open.max(at)).unwrap_or_default());
        held.drain(..open.max(at));
        out
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, pipe};

    use super::*;

    fn covered(secrets: &[&str], chunks: &[&str]) -> String {
        let secrets: Vec<String> = secrets.iter().map(ToString::to_string).collect();
        let mask = Mask::new(&secrets).unwrap();
        let (mut held, mut out) = (Vec::new(), Vec::new());
        for chunk in chunks {
            held.extend_from_slice(chunk.as_bytes());
            out.extend(mask.take_settled(&mut held));
        }
        out.extend(mask.take(&mut held, 0));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn secrets_are_covered_wherever_a_write_ends() {
        let text = "a hunter22 b hunter2 hunter hunter22222 xhunter2";
        let expected = "a *** b *** hunter ***222 x***";
        let secrets = ["hunter2", "hunter22"];
        assert_eq!(covered(&secrets, &[text]), expected);
        for at in 0..=text.len() {
            assert_eq!(covered(&secrets, &[&text[..at], &text[at..]]), expected, "{at}");
        }
        let bytes: Vec<&str> = (0..text.len()).map(|at| &text[at..=at]).collect();
        assert_eq!(covered(&secrets, &bytes), expected);
    }

    #[test]
    fn lines_of_a_secret_are_covered_each() {
        let secret = "-----BEGIN\nabcdef\nxy\n-----END\n";
        assert_eq!(covered(&[secret], &[secret]), "***");
        assert_eq!(covered(&[secret], &["  abcdef, xy, -----END"]), "  ***, xy, ***");
        assert_eq!(covered(&["aaaa"], &["aaaaaaaaa", "aaa"]), "*********");
        assert_eq!(covered(&[], &["a", "aaa"]), "aaaa");
    }

    #[test]
    fn a_pipe_is_copied_to_its_end() {
        let mask = Mask::new(&["secret".to_owned()]).unwrap();
        let (reader, mut writer) = pipe().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        let log = file.try_clone().unwrap();
        let copying = std::thread::spawn(move || mask.copy(reader, log));
        writer.write_all(b"one sec").unwrap();
        writer.write_all(b"ret two sec").unwrap();
        drop(writer);
        copying.join().unwrap().unwrap();
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one *** two sec");
    }
}
