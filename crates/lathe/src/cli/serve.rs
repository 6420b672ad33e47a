//! `lathe serve`

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use lathe_core::Result;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::text::shell_word;
use crate::server::{self, OnnxRuntime, Options};

/// Below this much free space writes are refused, unless the server is told otherwise.
pub(super) const MIN_FREE_BYTES: u64 = 256 * 1024 * 1024;

/// PostgreSQL's notices, that a table exists already for instance, tell nobody anything. The library of the S3 door logs each mistake of a
/// client as an error, several times; what is the server's own fault is logged by the door.
const QUIET: &str = "sqlx::postgres::notice=warn,s3s=off";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where the server's data lies; shared with the maintenance commands.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// Folder for everything local: database, objects, scratch files
    #[arg(long, env = "LATHE_DATA_DIR", default_value = "./lathe-data", value_name = "FOLDER")]
    pub data_dir: PathBuf,
    /// sqlite://path or postgres://user:password@host/database [default: a file in the data folder]
    #[arg(long, env = "LATHE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// file:///folder or s3://bucket/prefix [default: a folder in the data folder]
    #[arg(long, env = "LATHE_OBJECTS", value_name = "URL")]
    pub objects: Option<String>,
}

impl StoreArgs {
    /// The flags that name the same stores again, each with a space before it; a password is left to the reader.
    pub fn flags(&self) -> String {
        let mut flags = format!(" --data-dir {}", shell_word(&self.data_dir.to_string_lossy()));
        if let Some(url) = &self.database_url {
            flags.push_str(&format!(" --database-url {}", shell_word(&without_password(url))));
        }
        if let Some(url) = &self.objects {
            flags.push_str(&format!(" --objects {}", shell_word(url)));
        }
        flags
    }

    /// The options of a command that opens the stores without serving.
    pub fn into_options(self) -> Options {
        Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            s3_listen: None,
            s3_url: None,
            data_dir: self.data_dir,
            database_url: self.database_url,
            objects_url: self.objects,
            is_login: false,
            allowed_hosts: Vec::new(),
            min_free_bytes: 0,
            serving_python: None,
            onnx: OnnxRuntime::Search,
            job_cpus: None,
            job_memory_bytes: None,
            admin_password: None,
        }
    }
}

fn without_password(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    let is_in_query = parsed.query_pairs().any(|(key, _)| key == "password");
    if parsed.password().is_none() && !is_in_query {
        return url.to_owned();
    }
    if parsed.password().is_some() && parsed.set_password(Some("PASSWORD")).is_err() {
        return url.to_owned();
    }
    if is_in_query {
        let others = parsed.query_pairs().into_owned().filter(|(key, _)| key != "password").collect::<Vec<_>>();
        parsed.query_pairs_mut().clear().extend_pairs(others).append_pair("password", "PASSWORD");
    }
    parsed.to_string()
}

/// Whether and where S3 clients are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3Listen {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl FromStr for S3Listen {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "off" => Ok(S3Listen::Off),
            _ => text.parse().map(S3Listen::At).map_err(|_| "write HOST:PORT, or off".to_owned()),
        }
    }
}

/// Run the server.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Address to listen on; anything but loopback needs --login
    #[arg(long, env = "LATHE_LISTEN", default_value = "127.0.0.1:4400", value_name = "HOST:PORT")]
    pub listen: SocketAddr,
    /// Address for S3 clients, or off [default: the port after the one of --listen]
    #[arg(long, env = "LATHE_S3_LISTEN", value_name = "HOST:PORT")]
    pub s3_listen: Option<S3Listen>,
    /// How S3 clients reach that address, when a proxy stands before it
    #[arg(long, env = "LATHE_S3_URL", value_name = "URL")]
    pub s3_url: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// Require people and clients to sign in
    #[arg(long, env = "LATHE_LOGIN")]
    pub login: bool,
    /// Host name to serve besides this machine's loopback; may be given several times
    #[arg(long = "allowed-host", env = "LATHE_ALLOWED_HOST", value_delimiter = ',', value_name = "NAME")]
    pub allowed_hosts: Vec<String>,
    /// Refuse writes while the data folder's disk has less free space than this
    #[arg(long, env = "LATHE_MIN_FREE_BYTES", default_value_t = MIN_FREE_BYTES, value_name = "BYTES")]
    pub min_free_bytes: u64,
    /// Python with mlflow that runs deployed models [default: an environment for each model's requirements]
    #[arg(long, env = "LATHE_SERVING_PYTHON", value_name = "PROGRAM")]
    pub serving_python: Option<PathBuf>,
    /// Library file of ONNX Runtime that runs ONNX models, or off: they run in Python [default: the one of the Python package onnxruntime]
    #[arg(long, env = "LATHE_ONNXRUNTIME", value_name = "FILE")]
    pub onnxruntime: Option<OnnxRuntime>,
    /// Cores that jobs of pipelines get altogether [default: all of this machine]
    #[arg(long, env = "LATHE_JOB_CPUS", value_name = "N")]
    pub job_cpus: Option<f64>,
    /// Bytes of memory that jobs of pipelines get altogether [default: all of this machine]
    #[arg(long, env = "LATHE_JOB_MEMORY_BYTES", value_name = "BYTES")]
    pub job_memory_bytes: Option<u64>,
    /// How log lines are written: text or json
    #[arg(long, env = "LATHE_LOG_FORMAT", value_enum, hide_possible_values = true, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// As [`server::run`].
pub async fn run(arguments: ServeArgs) -> Result<()> {
    start_logging(arguments.log_format, "info");
    let ServeArgs {
        listen,
        s3_listen,
        s3_url,
        store,
        login,
        allowed_hosts,
        min_free_bytes,
        serving_python,
        onnxruntime,
        job_cpus,
        job_memory_bytes,
        log_format: _,
    } = arguments;
    let admin_password = std::env::var("LATHE_ADMIN_PASSWORD").ok().filter(|password| !password.is_empty());
    server::run(Options {
        listen,
        s3_listen: match s3_listen {
            None => Some(server::s3_beside(listen)),
            Some(S3Listen::At(address)) => Some(address),
            Some(S3Listen::Off) => None,
        },
        s3_url,
        is_login: login,
        allowed_hosts,
        min_free_bytes,
        serving_python,
        onnx: onnxruntime.unwrap_or(OnnxRuntime::Search),
        job_cpus,
        job_memory_bytes,
        admin_password,
        ..store.into_options()
    })
    .await
}

/// Writes log lines of at least this level, unless `RUST_LOG` says otherwise.
pub(super) fn start_logging(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level},{QUIET}")));
    let is_coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_coloured).with_writer(std::io::stderr);
    // Fails only when logging was started before; then it goes on as it was.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_never_work_is_refused_at_the_start() {
        let store = || StoreArgs { data_dir: "data".into(), database_url: None, objects: None }.into_options();
        for good in [
            Options { job_cpus: Some(0.5), job_memory_bytes: Some(1), ..store() },
            Options { serving_python: Some("/bin/sh".into()), ..store() },
            Options { serving_python: Some("sh".into()), ..store() },
            store(),
        ] {
            good.check().unwrap();
        }
        for (bad, flag) in [
            (Options { job_cpus: Some(0.0), ..store() }, "--job-cpus"),
            (Options { job_cpus: Some(-1.0), ..store() }, "--job-cpus"),
            (Options { job_cpus: Some(f64::NAN), ..store() }, "--job-cpus"),
            (Options { job_memory_bytes: Some(0), ..store() }, "--job-memory-bytes"),
            (Options { serving_python: Some("/nope".into()), ..store() }, "--serving-python"),
            (Options { serving_python: Some("no-such-python".into()), ..store() }, "--serving-python"),
            (Options { serving_python: Some("/tmp".into()), ..store() }, "--serving-python"),
        ] {
            let refused = bad.check().unwrap_err();
            assert!(refused.message().starts_with(flag) && refused.hint().is_some(), "{refused}");
        }
        let python = |given: &str| Options { serving_python: Some(given.into()), ..store() }.serving_python().unwrap();
        assert!(python(".venv/bin/python").is_absolute(), "it is started from another folder");
        assert_eq!(python("python3"), std::path::Path::new("python3"));
    }

    #[test]
    fn flags_name_the_stores_and_no_password() {
        let store = |database_url: Option<&str>, objects: Option<&str>| StoreArgs {
            data_dir: "./my data".into(),
            database_url: database_url.map(str::to_owned),
            objects: objects.map(str::to_owned),
        };
        assert_eq!(store(None, None).flags(), " --data-dir './my data'");
        let flags = store(Some("postgres://lathe:secret@db/lathe"), Some("s3://bucket/x")).flags();
        assert!(
            flags.ends_with("--database-url postgres://lathe:PASSWORD@db/lathe --objects s3://bucket/x"),
            "{flags}"
        );
        assert_eq!(without_password("sqlite:///srv/lathe.db"), "sqlite:///srv/lathe.db");
    }
}
