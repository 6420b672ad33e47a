//! `lathe serve`: opens the stores, joins rooms and doors, runs the background loops, and stops in order.

pub mod backup;
mod compose;
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

pub use compose::{Rooms, route_table};
pub use options::Options;

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
    check_exposure(&options)?;
    let _lock = lock::take(&options.data_dir)?;
    let rooms = open_rooms(&options, &clock).await?;
    announce_first_start(&rooms.access, &options).await?;

    let listener = TcpListener::bind(options.listen).await.map_err(|error| {
        Error::new(Code::Unavailable, format!("cannot listen on {}: {error}", options.listen))
            .with_hint("choose another address with --listen, or stop what uses this one")
    })?;
    let address =
        listener.local_addr().map_err(|error| Error::internal("the listener has no address").with_source(error))?;
    let (stop_all, stopping) = watch::channel(false);
    let app = compose::app(&rooms, allowed_hosts(&options), stopping.clone());
    let loops = loops::start(&rooms, &options, &clock, &stopping);
    // The line that people read and that scripts wait for.
    eprintln!("lathe {} is listening on http://{address} (data in {})", crate::VERSION, options.data_dir.display());

    on_listening(address);
    let served = tokio::spawn(lathe_http::serve::run(listener, app, stopping));
    stop.await;
    eprintln!("stopping");
    let _ = stop_all.send(true);
    let _ = served.await;
    loops.finish().await;
    rooms.db.close().await;
    Ok(())
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
    let access = Access::new(db.clone(), mode, clock.clone());
    Ok(Rooms::new(db, objects, access))
}

/// Without login anyone who reaches the address may do everything: so only this machine may reach it.
fn check_exposure(options: &Options) -> Result<()> {
    if options.is_login || options.listen.ip().is_loopback() {
        return Ok(());
    }
    Err(Error::invalid(format!("{} can be reached from other machines, and this server has no login", options.listen))
        .with_hint("add --login, or listen on 127.0.0.1"))
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
