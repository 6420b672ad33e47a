//! `openapi.json`: written from the code, reviewed as a snapshot, and what the UI's client is generated from.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../openapi.json")
}

fn text() -> Result<String> {
    Ok(serde_json::to_string_pretty(&lathe::openapi())? + "\n")
}

/// Writes the file.
pub fn write() -> Result<()> {
    fs::write(path(), text()?).context("openapi.json cannot be written")?;
    println!("openapi: wrote openapi.json");
    Ok(())
}

/// Fails when the file is not what the code says.
pub fn check() -> Result<()> {
    let written = fs::read_to_string(path()).context("openapi.json cannot be read; run `cargo xtask openapi`")?;
    if written != text()? {
        bail!("openapi.json is stale; run `cargo xtask openapi`, then `npm run api` in ui/, and review the difference");
    }
    println!("openapi: openapi.json is current");
    Ok(())
}
