//! `lathe serve`: opens the stores, joins rooms and doors, runs the background loops, and stops in order.

pub mod backup;
mod compose;
mod key;
mod lock;
mod loops;
mod options;

use std::net::SocketAddr;

use lathe_access::{Access, Mode};
use lathe_core::{Clock, Code, Error, Result};
use lathe_db::{Db, DbOptions, migrate};
use lathe_http::frame::AllowedHosts;
use lathe_objects::Objects;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::work::Endpoints;

pub use compose::{Rooms, route_table};
pub use options::{OnnxRuntime, Options, s3_beside};

/// Runs the server until it is told to stop (Ctrl-C or SIGTERM).
///
/// # Errors
/// As [`run_until`].
pub async fn run(options: Options) -> Result<()> {
    run_until(options, stop_signal(), |_| {}).await
}

/// Runs the server until `stop` is ready; `on_listening` hears the address.
///
/// # Errors
/// `InvalidArgument` for options that do not hold together, `Unavailable` when the address or a store cannot be opened.
pub async fn run_until(
    options: Options,
    stop: impl Future<Output = ()>,
    on_listening: impl FnOnce(SocketAddr),
) -> Result<()> {
    let clock = Clock::System;
    options.check()?;
    check_exposure(&options)?;
    let _lock = lock::take(&options.data_dir)?;
    let rooms = open_rooms(&options, &clock).await?;
    announce_first_start(&rooms.access, &options).await?;

    let (listener, address) = listen(options.listen, "--listen").await?;
    let s3 = match options.s3_listen {
        Some(address) => Some(listen(address, "--s3-listen").await?),
        None => None,
    };
    let (stop_all, stopping) = watch::channel(false);
    let s3_address = s3.as_ref().map(|(_, address)| *address);
    let endpoint = compose::s3_endpoint(&options, s3_address);
    let work_folder = options.work_folder();
    let apps = compose::apps(&rooms, allowed_hosts(&options), endpoint, work_folder, stopping.clone());
    let endpoints =
        Endpoints { url: browser_url(address), s3_url: options.s3_url.clone().or(s3_address.map(browser_url)) };
    let (all_answered, no_more_requests) = watch::channel(false);
    let loops = loops::start(&rooms, &options, endpoints, &clock, &stopping, no_more_requests);
    if let Some(address) = s3_address {
        eprintln!("S3 clients reach it on http://{address}; `lathe env` prints what they need");
    }
    // The line that people read and that scripts wait for.
    eprintln!("lathe {} is listening on http://{address} (data in {})", crate::VERSION, options.data_dir.display());

    on_listening(address);
    let mut served = vec![tokio::spawn(lathe_http::serve::run(listener, apps.http, stopping.clone()))];
    served.extend(s3.map(|(listener, _)| tokio::spawn(lathe_http::serve::run(listener, apps.s3, stopping))));
    stop.await;
    eprintln!("stopping");
    let _ = stop_all.send(true);
    futures::future::join_all(served).await;
    let _ = all_answered.send(true);
    loops.finish().await;
    rooms.db.close().await;
    Ok(())
}

async fn listen(address: SocketAddr, option: &str) -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Error::new(Code::Unavailable, format!("cannot listen on {address}: {error}"))
            .with_hint(format!("choose another address with {option}, or stop what uses this one"))
    })?;
    let address =
        listener.local_addr().map_err(|error| Error::internal("the listener has no address").with_source(error))?;
    Ok((listener, address))
}

/// Opens and upgrades the stores and joins the rooms; what `serve` and the maintenance commands share.
///
/// # Errors
/// `Unavailable` when a store does not answer, `Conflict` when it was written by a newer Lathe.
pub async fn open_rooms(options: &Options, clock: &Clock) -> Result<Rooms> {
    let db = Db::open(&options.database_url(), &DbOptions::default()).await?;
    migrate(&db, crate::SCHEMAS, clock.now_ms()).await?;
    join_rooms(db, options, clock).await
}

/// Opens the stores as they are: a backup is made before an upgrade.
///
/// # Errors
/// `Unavailable` when a store does not answer.
pub async fn open_rooms_unchanged(options: &Options, clock: &Clock) -> Result<Rooms> {
    join_rooms(Db::open(&options.database_url(), &DbOptions::default()).await?, options, clock).await
}

async fn join_rooms(db: Db, options: &Options, clock: &Clock) -> Result<Rooms> {
    let scratch = options.data_dir.join("scratch");
    let objects = Objects::open(&options.objects_url(), &scratch, db.clone(), clock.clone()).await?;
    let mode = if options.is_login { Mode::Login } else { Mode::Local };
    let access = Access::new(db.clone(), mode, clock.clone(), key::load(&options.data_dir)?);
    Ok(Rooms::new(db, objects, access, options.capacity()))
}

/// Without login anyone who reaches the address may do everything: so only this machine may reach it.
fn check_exposure(options: &Options) -> Result<()> {
    let exposed = [Some(options.listen), options.s3_listen].into_iter().flatten().find(|at| !at.ip().is_loopback());
    match exposed.filter(|_| !options.is_login) {
        None => Ok(()),
        Some(at) => {
            Err(Error::invalid(format!("{at} can be reached from other machines, and this server has no login"))
                .with_hint("add --login, or listen on 127.0.0.1"))
        }
    }
}

fn allowed_hosts(options: &Options) -> AllowedHosts {
    match (options.allowed_hosts.is_empty(), options.is_login) {
        (false, _) => AllowedHosts::Listed(options.allowed_hosts.clone()),
        (true, false) => AllowedHosts::Loopback,
        (true, true) => AllowedHosts::Any,
    }
}

async fn announce_first_start(access: &Access, options: &Options) -> Result<()> {
    let first = access.prepare(options.admin_password.as_deref()).await?;
    if let Some(secret) = first.admin_secret {
        eprintln!(
            "created the user `admin` with the password {secret}\nit is shown this once; change it after signing in"
        );
    }
    Ok(())
}

/// The address a browser on this machine opens.
pub fn browser_url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

/// Ready when the process is told to stop: Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            let _ = interrupt.await;
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    {
        let _ = interrupt.await;
    }
}
