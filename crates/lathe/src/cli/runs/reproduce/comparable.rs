//! What of a file can be the same in two runs: without the ids, times and memory addresses that its format writes into it.

use std::collections::HashMap;

/// The file in which MLflow describes a model.
const MODEL_FILE: &str = "MLmodel";
/// What stands in that file for the very model or run and for the moment.
const OF_ONE_RUN: [&str; 5] = ["artifact_path:", "model_id:", "model_uuid:", "run_id:", "utc_time_created:"];
/// Numbers of so many digits are addresses of objects in skops's files.
const ADDRESS_DIGITS: usize = 9;

/// The bytes of a file that are compared.
pub(super) fn comparable(path: &str, bytes: Vec<u8>) -> Vec<u8> {
    if path.rsplit('/').next() == Some(MODEL_FILE) {
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter(|line| !OF_ONE_RUN.iter().any(|key| line.starts_with(key)));
        return lines.collect::<Vec<_>>().join("\n").into_bytes();
    }
    if path.ends_with(".skops")
        && let Some(entries) = stored_entries(&bytes)
    {
        return without_addresses(&entries);
    }
    bytes
}

/// Name and content of each entry of a zip archive; `None` for what is none, or has compressed entries.
fn stored_entries(archive: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    let mut entries = Vec::new();
    let mut rest = archive;
    while let Some((header, after)) = rest.split_first_chunk::<30>() {
        let short = |at: usize| Some(u16::from_le_bytes(header.get(at..at + 2)?.try_into().ok()?));
        let length = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
        if !header.starts_with(b"PK\x03\x04") {
            break;
        }
        // With bit 3 the length stands behind the content.
        if short(8)? != 0 || short(6)? & 8 != 0 {
            return None;
        }
        let (name, after) = after.split_at_checked(usize::from(short(26)?))?;
        let (_extra, after) = after.split_at_checked(usize::from(short(28)?))?;
        let (content, after) = after.split_at_checked(usize::try_from(length(18)?).ok()?)?;
        entries.push((std::str::from_utf8(name).ok()?, content));
        rest = after;
    }
    (!entries.is_empty() && rest.starts_with(b"PK\x01\x02")).then_some(entries)
}

/// The entries with each address replaced by the order in which it came. Arrays keep their bytes.
fn without_addresses(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut numbers, mut out) = (HashMap::new(), Vec::new());
    for (name, content) in entries {
        renumber(name.as_bytes(), &mut numbers, &mut out);
        out.push(0);
        if name.ends_with(".json") {
            renumber(content, &mut numbers, &mut out);
        } else {
            out.extend_from_slice(content);
        }
        out.push(0);
    }
    out
}

fn renumber(text: &[u8], numbers: &mut HashMap<Vec<u8>, usize>, out: &mut Vec<u8>) {
    for part in text.chunk_by(|one, other| one.is_ascii_digit() == other.is_ascii_digit()) {
        if part.len() < ADDRESS_DIGITS || !part.iter().all(u8::is_ascii_digit) {
            out.extend_from_slice(part);
            continue;
        }
        let next = numbers.len();
        let number = numbers.entry(part.to_vec()).or_insert(next);
        out.extend_from_slice(format!("#{number}").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_described_alike_in_two_runs() {
        let of = |run: &str, data: &str| {
            let uri = format!("mlflow-artifacts:/1/models/m-{run}/artifacts");
            let text = format!("artifact_path: {uri}\nflavors:\n  data: {data}\nrun_id: {run}\n");
            comparable("model/MLmodel", text.into_bytes())
        };
        assert_eq!(of("a", "model.pkl"), of("b", "model.pkl"));
        assert_ne!(of("a", "model.pkl"), of("a", "model.skops"));
        assert_eq!(comparable("note.txt", b"run_id: a".to_vec()), b"run_id: a");
    }

    fn archive(time: u8, entries: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, content) in entries {
            let mut header = [0_u8; 30];
            header[..4].copy_from_slice(b"PK\x03\x04");
            header[10] = time;
            header[18..22].copy_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
            header[26..28].copy_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(&header);
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(content.as_bytes());
        }
        bytes.extend_from_slice(b"PK\x01\x02 the directory");
        bytes
    }

    #[test]
    fn a_model_of_skops_is_the_same_whenever_and_wherever_in_memory_it_was_written() {
        let of = |time: u8, address: &str, weights: &str| {
            let schema = format!("{{\"file\": \"{address}.npy\", \"__id__\": {address}, \"max_iter\": 1000}}");
            let entries = [(&*format!("{address}.npy"), weights), ("schema.json", &*schema)];
            comparable("model.skops", archive(time, &entries))
        };
        assert_eq!(of(1, "140222822135536", "weights"), of(2, "140082564544240", "weights"));
        assert_ne!(of(1, "140222822135536", "weights"), of(1, "140222822135536", "Weights"));
        let cut = archive(1, &[("a", "b")]);
        for length in 0..cut.len() {
            let _ = comparable("x.skops", cut[..length].to_vec());
        }
        assert_eq!(comparable("x.skops", b"no archive".to_vec()), b"no archive");
    }
}
