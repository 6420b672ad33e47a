//! How busy the machine is while a run goes on, under the names that MLflow gives these metrics.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
use tokio::process::Command;
use tokio::time::timeout;

const MEGABYTE: f64 = 1024.0 * 1024.0;
/// NVIDIA's tool answers in milliseconds, and hangs when a driver does.
const GPU_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the machine's load.
#[derive(Debug)]
pub struct Machine {
    /// Absent where the operating system does not tell.
    system: Option<System>,
    has_gpu: bool,
    step: i64,
}

impl Machine {
    /// Begins; the share of the processor is measured between two reads.
    pub fn new() -> Self {
        let wanted = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_usage())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        Self { system: System::new_with_specifics(wanted).ok(), has_gpu: true, step: 0 }
    }

    /// The metrics of now, as `runs/log-batch` takes them.
    pub async fn read(&mut self, at_ms: i64) -> Vec<Value> {
        let mut found = self.system.as_mut().map(system_metrics).unwrap_or_default();
        found.extend(self.read_gpus().await);
        let step = self.step;
        self.step += 1;
        found
            .into_iter()
            .map(|(name, value)| json!({ "key": format!("system/{name}"), "value": value, "timestamp": at_ms, "step": step }))
            .collect()
    }

    /// Asks NVIDIA's tool; a machine without it is asked once.
    async fn read_gpus(&mut self) -> Vec<(String, f64)> {
        if !self.has_gpu {
            return Vec::new();
        }
        let mut command = Command::new("nvidia-smi");
        command.args(["--query-gpu=index,utilization.gpu,memory.used", "--format=csv,noheader,nounits"]);
        let asked = command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).output();
        // One that is only slow is asked again the next time.
        let Ok(asked) = timeout(GPU_TIMEOUT, asked).await else { return Vec::new() };
        let Some(done) = asked.ok().filter(|done| done.status.success()) else {
            self.has_gpu = false;
            return Vec::new();
        };
        String::from_utf8_lossy(&done.stdout).lines().flat_map(gpu_metrics).collect()
    }
}

fn system_metrics(system: &mut System) -> Vec<(String, f64)> {
    system.refresh_cpu_usage();
    system.refresh_memory();
    let (used, total) = (system.used_memory() as f64, system.total_memory() as f64);
    vec![
        ("cpu_utilization_percentage".to_owned(), f64::from(system.global_cpu_usage())),
        ("system_memory_usage_megabytes".to_owned(), used / MEGABYTE),
        ("system_memory_usage_percentage".to_owned(), if total > 0.0 { used / total * 100.0 } else { 0.0 }),
    ]
}

/// `0, 97, 1024` is a card's number, its load in percent, and its memory in megabytes.
fn gpu_metrics(line: &str) -> Vec<(String, f64)> {
    let fields: Vec<_> = line.split(',').map(str::trim).collect();
    let [index, load, memory] = fields.as_slice() else { return Vec::new() };
    [("utilization_percentage", load), ("memory_usage_megabytes", memory)]
        .into_iter()
        .filter_map(|(name, value)| Some((format!("gpu_{index}_{name}"), value.parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_read_from_lines() {
        let named =
            |line| gpu_metrics(line).into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        assert_eq!(named("0, 97, 1024"), ["gpu_0_utilization_percentage=97", "gpu_0_memory_usage_megabytes=1024"]);
        assert_eq!(named("1, [N/A], 5"), ["gpu_1_memory_usage_megabytes=5"]);
        assert!(named("").is_empty());
    }

    #[tokio::test]
    async fn memory_is_read_in_the_form_of_a_batch() {
        let read = Machine::new().read(7).await;
        let memory = read.iter().find(|metric| metric["key"] == "system/system_memory_usage_percentage").unwrap();
        assert!((0.0..=100.0).contains(&memory["value"].as_f64().unwrap()));
        assert_eq!((memory["timestamp"].as_i64(), memory["step"].as_i64()), (Some(7), Some(0)));
    }
}
