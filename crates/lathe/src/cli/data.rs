//! Data under version control: `lathe repo`, `branch`, `tag`, `ls`, `cat`, `cp`, `rm`, `commit`, `log`, `diff`, `merge`, `checkout`.

pub mod address;
mod batch_answers;
mod batches;
mod checkout;
pub mod copy;
mod downloads;
pub mod files;
pub mod history;
pub mod refs;
mod remote;
pub mod transfer;

use clap::Subcommand;
use lathe_core::Result;

use super::Remote;
use super::output::Output;

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Repositories of files under version control
    Repo(Remote<refs::RepoArgs>),
    /// Branches of a repository
    Branch(Remote<refs::RefArgs>),
    /// Tags of a repository
    Tag(Remote<refs::RefArgs>),
    /// List files of a repository
    Ls(Remote<files::LsArgs>),
    /// Print a file of a repository
    Cat(Remote<files::CatArgs>),
    /// Copy files into a repository or out of it; only what changed
    #[command(after_help = copy::EXAMPLES)]
    Cp(Remote<copy::CpArgs>),
    /// Remove files from a branch
    Rm(Remote<files::RmArgs>),
    /// Commit what changed on a branch
    Commit(Remote<history::CommitArgs>),
    /// The history of a branch
    Log(Remote<history::LogArgs>),
    /// What differs between two refs, or what a branch has not committed yet
    Diff(Remote<history::DiffArgs>),
    /// Merge a ref into a branch
    Merge(Remote<history::MergeArgs>),
    /// Take the changes of a commit back
    Revert(Remote<history::RevertArgs>),
    /// Make a folder what a ref is
    #[command(after_help = checkout::EXAMPLES)]
    Checkout(Remote<checkout::CheckoutArgs>),
}

/// Runs a command about data.
///
/// # Errors
/// As the command's own.
pub(super) async fn run(command: DataCommand, output: &Output) -> Result<()> {
    match command {
        DataCommand::Repo(Remote { connection, arguments }) => {
            refs::run_repo(arguments, &connection.connect()?, output).await
        }
        DataCommand::Branch(Remote { connection, arguments }) => {
            refs::run_refs(arguments, "branches", &connection.connect()?, output).await
        }
        DataCommand::Tag(Remote { connection, arguments }) => {
            refs::run_refs(arguments, "tags", &connection.connect()?, output).await
        }
        DataCommand::Ls(Remote { connection, arguments }) => files::ls(arguments, &connection.connect()?, output).await,
        DataCommand::Cat(Remote { connection, arguments }) => files::cat(arguments, &connection.connect()?).await,
        DataCommand::Cp(Remote { connection, arguments }) => copy::cp(arguments, &connection.connect()?, output).await,
        DataCommand::Rm(Remote { connection, arguments }) => files::rm(arguments, &connection.connect()?, output).await,
        DataCommand::Commit(Remote { connection, arguments }) => {
            history::commit(arguments, &connection.connect()?, output).await
        }
        DataCommand::Log(Remote { connection, arguments }) => {
            history::log(arguments, &connection.connect()?, output).await
        }
        DataCommand::Diff(Remote { connection, arguments }) => {
            history::diff(arguments, &connection.connect()?, output).await
        }
        DataCommand::Merge(Remote { connection, arguments }) => {
            history::merge(arguments, &connection.connect()?, output).await
        }
        DataCommand::Revert(Remote { connection, arguments }) => {
            history::revert(arguments, &connection.connect()?, output).await
        }
        DataCommand::Checkout(Remote { connection, arguments }) => {
            checkout::run(arguments, &connection.connect()?, output).await
        }
    }
}
