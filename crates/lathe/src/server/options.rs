//! What `lathe serve` and the maintenance commands are told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lathe_core::{Error, Result};
use lathe_workflows::Capacity;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use crate::programs;

/// Where things are and how the server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The address that S3 clients reach; without one, there is no S3 door.
    pub s3_listen: Option<SocketAddr>,
    /// The S3 door's address as clients see it, when something stands before it.
    pub s3_url: Option<String>,
    /// The folder for everything local: database, objects, scratch files, lock.
    pub data_dir: PathBuf,
    /// `sqlite://…` or `postgres://…`; a file in the data folder if absent.
    pub database_url: Option<String>,
    /// `file://…` or `s3://bucket/prefix`; a folder in the data folder if absent.
    pub objects_url: Option<String>,
    /// Whether people must sign in.
    pub is_login: bool,
    /// Host names to serve besides this machine's loopback.
    pub allowed_hosts: Vec<String>,
    /// Below this much free space on the data folder's disk, writes are refused.
    pub min_free_bytes: u64,
    /// The interpreter that runs the Python workers of deployments; without one, each model gets an environment of its own.
    pub serving_python: Option<PathBuf>,
    /// How ONNX models are run.
    pub onnx: OnnxRuntime,
    /// Cores that jobs of pipelines get altogether; all of the machine's if absent.
    pub job_cpus: Option<f64>,
    /// Bytes of memory that jobs of pipelines get altogether; all of the machine's if absent.
    pub job_memory_bytes: Option<u64>,
    /// The first administrator's password, for automated set-ups.
    pub admin_password: Option<String>,
}

/// Where ONNX Runtime's library is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnnxRuntime {
    /// In the Python that runs models, or else in an environment that is made for it.
    Search,
    /// This file.
    File(PathBuf),
    /// Nowhere: ONNX models run in Python as all others.
    Off,
}

impl FromStr for OnnxRuntime {
    type Err = Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(if text == "off" { OnnxRuntime::Off } else { OnnxRuntime::File(text.into()) })
    }
}

/// Where S3 clients are served when nobody says: the port after the one of the API, or any free one.
pub fn s3_beside(listen: SocketAddr) -> SocketAddr {
    let port = if listen.port() == 0 { 0 } else { listen.port().checked_add(1).unwrap_or_default() };
    SocketAddr::new(listen.ip(), port)
}

impl Options {
    /// What could only fail later, and in everything that needs it.
    ///
    /// # Errors
    /// `InvalidArgument` for jobs that get nothing, and for an interpreter that is none.
    pub fn check(&self) -> Result<()> {
        if let Some(cpus) = self.job_cpus.filter(|cpus| !cpus.is_finite() || *cpus < 0.001) {
            return Err(Error::invalid(format!("--job-cpus is {cpus}: no job would ever start"))
                .with_hint("give jobs some cores, or leave it out for all of this machine"));
        }
        if self.job_memory_bytes == Some(0) {
            return Err(Error::invalid("--job-memory-bytes is 0: no job would ever start")
                .with_hint("give jobs some memory, or leave it out for all of this machine"));
        }
        match &self.serving_python {
            Some(python) if programs::find(Path::new(""), std::env::var_os("PATH").as_deref(), python).is_none() => {
                Err(Error::invalid(format!("--serving-python is {}: no such program", python.display())).with_hint(
                    "name a Python that has mlflow, or leave it out: each model then gets an environment of its own",
                ))
            }
            _ => Ok(()),
        }
    }

    /// The Python that runs models: found from here, as the programs that it runs in are started from folders of their own.
    pub fn serving_python(&self) -> Option<PathBuf> {
        let given = self.serving_python.clone()?;
        if programs::is_name(&given) { Some(given) } else { Some(std::path::absolute(&given).unwrap_or(given)) }
    }

    /// Where jobs of pipelines work.
    pub fn work_folder(&self) -> PathBuf {
        let folder = self.data_dir.join("work");
        std::path::absolute(&folder).unwrap_or(folder)
    }

    /// What jobs of pipelines get altogether.
    #[expect(clippy::cast_possible_truncation, reason = "a machine has fewer than 2^53 cores")]
    pub fn capacity(&self) -> Capacity {
        let cores = || std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
        let memory = || {
            let refresh = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
            System::new_with_specifics(refresh).map_or(0, |system| system.total_memory())
        };
        let memory_bytes = self.job_memory_bytes.unwrap_or_else(memory);
        Capacity {
            cpu_millis: (self.job_cpus.unwrap_or_else(cores) * 1_000.0) as i64,
            memory_bytes: i64::try_from(memory_bytes).unwrap_or(i64::MAX),
        }
    }

    /// The database's URL, with the default filled in.
    pub fn database_url(&self) -> String {
        self.database_url.clone().unwrap_or_else(|| format!("sqlite://{}", self.data_dir.join("lathe.db").display()))
    }

    /// The object store's URL, with the default filled in.
    pub fn objects_url(&self) -> String {
        self.objects_url.clone().unwrap_or_else(|| {
            let folder =
                std::path::absolute(self.data_dir.join("objects")).unwrap_or_else(|_| self.data_dir.join("objects"));
            format!("file://{}", folder.display())
        })
    }
}
