//! Which job comes before which.

use std::collections::BTreeMap;

use super::types::Job;

/// The jobs by number, and what each needs, directly and through others. Names that are no job are left out.
pub(super) struct Order {
    /// Job numbers so that each comes behind what it needs; jobs of a cycle are left out.
    pub sorted: Vec<usize>,
    /// The direct needs of each job.
    pub needs: Vec<Vec<usize>>,
    /// Cycles, each as the jobs along it.
    pub cycles: Vec<Vec<usize>>,
    /// One bit for each job that comes before a job.
    before: Vec<Vec<u64>>,
}

impl Order {
    pub fn of(jobs: &[Job]) -> Self {
        let numbers: BTreeMap<&str, usize> = jobs.iter().enumerate().map(|(n, job)| (job.name.as_str(), n)).collect();
        let needs: Vec<Vec<usize>> = jobs
            .iter()
            .map(|job| job.needs.iter().filter_map(|need| numbers.get(need.as_str()).copied()).collect())
            .collect();
        let sorted = sort(&needs);
        let mut before = vec![vec![0_u64; jobs.len().div_ceil(64)]; jobs.len()];
        for job in &sorted {
            let mut bits = vec![0_u64; jobs.len().div_ceil(64)];
            for need in needs.get(*job).into_iter().flatten() {
                for (own, other) in bits.iter_mut().zip(before.get(*need).into_iter().flatten()) {
                    *own |= other;
                }
                if let Some(word) = bits.get_mut(need / 64) {
                    *word |= 1 << (need % 64);
                }
            }
            if let Some(slot) = before.get_mut(*job) {
                *slot = bits;
            }
        }
        let cycles = cycles(&needs, &sorted);
        Self { sorted, needs, cycles, before }
    }

    /// Whether a job needs another, directly or through others.
    pub fn is_before(&self, earlier: usize, job: usize) -> bool {
        let word = self.before.get(job).and_then(|bits| bits.get(earlier / 64)).copied().unwrap_or_default();
        word & (1 << (earlier % 64)) != 0
    }
}

/// Layer after layer, each in the order of the file.
fn sort(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut needed_by = vec![Vec::new(); needs.len()];
    for (job, needs) in needs.iter().enumerate() {
        for need in needs {
            if let Some(jobs) = needed_by.get_mut(*need) {
                jobs.push(job);
            }
        }
    }
    let mut sorted = Vec::new();
    let mut layer: Vec<usize> = (0..needs.len()).filter(|job| open.get(*job) == Some(&0)).collect();
    while !layer.is_empty() {
        let mut next = Vec::new();
        for job in layer.iter().flat_map(|job| needed_by.get(*job).into_iter().flatten()) {
            if let Some(count) = open.get_mut(*job) {
                *count -= 1;
                if *count == 0 {
                    next.push(*job);
                }
            }
        }
        sorted.append(&mut layer);
        next.sort_unstable();
        layer = next;
    }
    sorted
}

/// One cycle after the other, among the jobs that could not be sorted.
fn cycles(needs: &[Vec<usize>], sorted: &[usize]) -> Vec<Vec<usize>> {
    let mut is_done = vec![false; needs.len()];
    for job in sorted {
        is_done[*job] = true;
    }
    let mut cycles = Vec::new();
    for start in 0..needs.len() {
        let mut path: Vec<usize> = Vec::new();
        let mut at = start;
        // Follow one need after the other until a job comes again, or all further ones are done.
        while !is_done[at] {
            if let Some(begin) = path.iter().position(|job| *job == at) {
                cycles.push(path.split_off(begin));
                is_done[at] = true;
                break;
            }
            path.push(at);
            let Some(next) = needs[at].iter().find(|need| !is_done[**need]) else { break };
            at = *next;
        }
        for job in path.into_iter().chain(cycles.last().into_iter().flatten().copied()) {
            is_done[job] = true;
        }
    }
    cycles
}
