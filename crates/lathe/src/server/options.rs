//! What `lathe serve` and the maintenance commands are told.

use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// The first administrator's password, for automated set-ups.
    pub admin_password: Option<String>,
}

/// Where S3 clients are served when nobody says: the port after the one of the API, or any free one.
pub fn s3_beside(listen: SocketAddr) -> SocketAddr {
    let port = if listen.port() == 0 { 0 } else { listen.port().checked_add(1).unwrap_or_default() };
    SocketAddr::new(listen.ip(), port)
}

impl Options {
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
