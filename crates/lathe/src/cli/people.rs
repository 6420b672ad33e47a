//! `lathe user …`, `lathe token …`, `lathe project …` and `lathe member …`: who may do what.

use clap::{Args, Subcommand, ValueEnum};
use lathe_core::{Project, Result, Scope};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Remote;
use super::client::Client;
use super::output::{Cell, Format, Output, Record, Table};
use super::session::{MadeToken, ask_secret, read_line};
use super::status::ProjectEntry;

#[derive(Debug, Subcommand)]
pub(super) enum PeopleCommand {
    /// Users of the server
    User(Remote<UserArgs>),
    /// Access tokens
    Token(Remote<TokenArgs>),
    /// Projects
    Project(Remote<ProjectArgs>),
    /// Members of a project, and their roles
    Member(Remote<MemberArgs>),
}

/// Runs a command about people.
///
/// # Errors
/// As the command's own.
pub(super) async fn run(command: PeopleCommand, output: &Output) -> Result<()> {
    match command {
        PeopleCommand::User(Remote { connection, arguments }) => {
            run_user(arguments, &connection.connect()?, output).await
        }
        PeopleCommand::Token(Remote { connection, arguments }) => {
            run_token(arguments, &connection.connect()?, output).await
        }
        PeopleCommand::Project(Remote { connection, arguments }) => {
            run_project(arguments, &connection.connect()?, output).await
        }
        PeopleCommand::Member(Remote { connection, arguments }) => {
            run_member(arguments, &connection.connect()?, output).await
        }
    }
}

/// Users
#[derive(Debug, Args)]
pub struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// List the server's users
    List,
    /// Make a user; prints the password that Lathe chose, unless you give one
    #[command(
        after_help = "Examples:\n  lathe user create alice\n  lathe member set alice contributor --project fraud"
    )]
    Create(CreateUserArgs),
    /// Remove a user: sessions, tokens and roles end at once
    Delete {
        /// Who
        #[arg(value_name = "USER")]
        username: String,
    },
    /// Change your own password; your browser sessions end, tokens stay
    Password {
        /// Read two lines from standard input: the old password and the new one
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Debug, Args)]
struct CreateUserArgs {
    /// 1-64 characters of a-z, 0-9, . _ @ and -
    #[arg(value_name = "USER")]
    username: String,
    /// Let them administer the server
    #[arg(long)]
    admin: bool,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Deserialize)]
struct UserList {
    users: Vec<UserEntry>,
}

#[derive(Debug, Deserialize)]
struct UserEntry {
    username: String,
    is_admin: bool,
    created_at_ms: i64,
}

#[derive(Debug, Deserialize)]
struct MadeUser {
    password: Option<String>,
}

/// Runs `lathe user …`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn run_user(UserArgs { command }: UserArgs, client: &Client, output: &Output) -> Result<()> {
    match command {
        UserCommand::List => {
            let UserList { users } = client.get(&["users"]).await?;
            let mut table =
                Table::new([("username", "USER"), ("is_admin", "SERVER ADMIN"), ("created_at_ms", "CREATED")]);
            for UserEntry { username, is_admin, created_at_ms } in users {
                table.push(vec![Cell::Text(username), Cell::Flag(is_admin), Cell::Time(created_at_ms)]);
            }
            output.print_list(&table, "users")
        }
        UserCommand::Create(arguments) => create_user(arguments, client, output).await,
        UserCommand::Delete { username } => {
            output.confirm(&format!("Remove the user {username} and end all their tokens?"))?;
            client.answer::<Value>(client.native(Method::DELETE, &["users", &username])).await?;
            output.note(&format!("removed the user {username}"));
            Ok(())
        }
        UserCommand::Password { password_stdin } => {
            let ask = |question| if password_stdin { read_line() } else { ask_secret(question) };
            let body = json!({ "old_password": ask("old password: ")?, "new_password": ask("new password: ")? });
            client.answer::<Value>(client.native(Method::PUT, &["password"]).json(&body)).await?;
            output.note("the password is changed");
            Ok(())
        }
    }
}

async fn create_user(arguments: CreateUserArgs, client: &Client, output: &Output) -> Result<()> {
    let CreateUserArgs { username, admin, password_stdin } = arguments;
    let password = if password_stdin { Some(read_line()?) } else { None };
    let body = json!({ "username": username, "password": password, "is_admin": admin });
    let made: MadeUser = client.answer(client.native(Method::POST, &["users"]).json(&body)).await?;
    let is_chosen = made.password.is_some();
    output.print_record(
        &Record::default()
            .with("username", "user", Cell::Text(username.clone()))
            .with("is_admin", "server admin", Cell::Flag(admin))
            .with("password", "password", Cell::text(made.password)),
    )?;
    if is_chosen {
        output.note("the password is shown this once");
    }
    if !admin {
        output.note(&format!("give a role: {}", client.command(&format!("member set {username} contributor"))));
    }
    Ok(())
}

/// Access tokens
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

const TOKEN_EXAMPLES: &str = "Examples:
  export MLFLOW_TRACKING_TOKEN=$(lathe token create laptop)
  lathe token create dashboard --read-only --expires-in-days 30
  lathe token create shop --infer-only --service viewer --project fraud
  lathe token create ci --service contributor --project fraud";

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// List tokens, newest first
    List {
        /// Everybody's; for server administrators
        #[arg(short, long)]
        all: bool,
    },
    /// Make a token and print it, this once
    #[command(after_help = TOKEN_EXAMPLES)]
    Create(CreateTokenArgs),
    /// End a token at once
    Revoke {
        /// Its id, as `lathe token list` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Debug, Args)]
struct CreateTokenArgs {
    /// What it is for
    #[arg(value_name = "NAME")]
    name: String,
    /// Let it only read
    #[arg(long)]
    read_only: bool,
    /// Let it only ask deployed models
    #[arg(long, conflicts_with = "read_only")]
    infer_only: bool,
    /// When it ends [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(1..=3650))]
    expires_in_days: Option<i64>,
    /// A service's token: an actor of its own, with this role in the project
    #[arg(long, value_name = "ROLE", value_enum)]
    service: Option<RoleName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleName {
    /// Reads
    Viewer,
    /// Logs runs, registers models
    Contributor,
    /// Deletes and restores, moves aliases
    Maintainer,
    /// Manages members and service tokens
    Admin,
}

impl RoleName {
    fn as_str(self) -> &'static str {
        match self {
            RoleName::Viewer => "viewer",
            RoleName::Contributor => "contributor",
            RoleName::Maintainer => "maintainer",
            RoleName::Admin => "admin",
        }
    }
}

#[derive(Debug, Deserialize)]
struct TokenList {
    tokens: Vec<TokenEntry>,
}

#[derive(Debug, Deserialize)]
struct TokenEntry {
    id: String,
    kind: String,
    name: String,
    owner: String,
    scope: String,
    project: Option<String>,
    role: Option<String>,
    created_at_ms: i64,
    expires_at_ms: Option<i64>,
    last_used_at_ms: Option<i64>,
}

/// Runs `lathe token …`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn run_token(TokenArgs { command }: TokenArgs, client: &Client, output: &Output) -> Result<()> {
    match command {
        TokenCommand::List { all } => {
            let request = client.native(Method::GET, &["tokens"]).query(&[("all", all)]);
            let TokenList { tokens } = client.answer(request).await?;
            output.print_list(&token_table(tokens), "tokens")
        }
        TokenCommand::Create(arguments) => create_token(arguments, client, output).await,
        TokenCommand::Revoke { id } => {
            client.answer::<Value>(client.native(Method::DELETE, &["tokens", &id])).await?;
            output.note(&format!("revoked the token {id}"));
            Ok(())
        }
    }
}

fn token_table(tokens: Vec<TokenEntry>) -> Table {
    let mut table = Table::new([
        ("id", "ID"),
        ("name", "NAME"),
        ("kind", "KIND"),
        ("owner", "OWNER"),
        ("scope", "SCOPE"),
        ("project", "PROJECT"),
        ("role", "ROLE"),
        ("created_at_ms", "CREATED"),
        ("expires_at_ms", "EXPIRES"),
        ("last_used_at_ms", "LAST USED"),
    ]);
    for token in tokens {
        table.push(vec![
            // Whole: revoking takes no prefix.
            Cell::Text(token.id),
            Cell::Text(token.name),
            Cell::Text(token.kind),
            Cell::Text(token.owner),
            Cell::Text(token.scope),
            Cell::text(token.project),
            Cell::text(token.role),
            Cell::Time(token.created_at_ms),
            Cell::time(token.expires_at_ms),
            Cell::time(token.last_used_at_ms),
        ]);
    }
    table
}

async fn create_token(arguments: CreateTokenArgs, client: &Client, output: &Output) -> Result<()> {
    let CreateTokenArgs { name, read_only, infer_only, expires_in_days, service } = arguments;
    let scope = match (read_only, infer_only) {
        (true, _) => Scope::Read,
        (_, true) => Scope::Infer,
        (false, false) => Scope::All,
    };
    let body = json!({
        "name": name,
        "kind": if service.is_some() { "service" } else { "personal" },
        "scope": scope.as_str(),
        "role": service.map(RoleName::as_str),
        "expires_in_days": expires_in_days,
    });
    let made: MadeToken = client.answer(client.native(Method::POST, &["tokens"]).json(&body)).await?;
    if output.format() == Format::Table {
        // Alone on its line, so that $(lathe token create …) is the token.
        output.print(&made.token)?;
    } else {
        let record = Record::default().with("id", "id", Cell::Text(made.id.clone()));
        output.print_record(&record.with("token", "token", Cell::Text(made.token)))?;
    }
    output.note(&format!("it is shown this once; end it: {}", client.command(&format!("token revoke {}", made.id))));
    Ok(())
}

/// Projects
#[derive(Debug, Args)]
pub struct ProjectArgs {
    #[command(subcommand)]
    command: ProjectCommand,
}

#[derive(Debug, Subcommand)]
enum ProjectCommand {
    /// List the projects you may see
    List,
    /// Make a project
    Create {
        /// 1-63 characters of a-z, 0-9 and -
        #[arg(value_name = "NAME")]
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        description: String,
    },
}

#[derive(Debug, Deserialize)]
struct ProjectList {
    projects: Vec<ProjectEntry>,
}

/// Runs `lathe project …`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn run_project(ProjectArgs { command }: ProjectArgs, client: &Client, output: &Output) -> Result<()> {
    match command {
        ProjectCommand::List => {
            // The chosen project may be one that does not exist.
            let client = client.in_project(Project::default_project());
            let ProjectList { projects } = client.get(&["projects"]).await?;
            let mut table = Table::new([
                ("name", "PROJECT"),
                ("role", "YOUR ROLE"),
                ("created_at_ms", "CREATED"),
                ("description", "DESCRIPTION"),
            ]);
            for ProjectEntry { name, description, created_at_ms, role } in projects {
                table.push(vec![
                    Cell::Text(name),
                    Cell::text(role),
                    Cell::Time(created_at_ms),
                    Cell::text(description),
                ]);
            }
            output.print_list(&table, "projects")
        }
        ProjectCommand::Create { name, description } => {
            let body = json!({ "name": name, "description": description });
            // The chosen project may be the one that is to be made.
            let client = client.in_project(Project::default_project());
            client.answer::<Value>(client.native(Method::POST, &["projects"]).json(&body)).await?;
            let there = client.in_project(Project::parse(&name)?);
            output.note(&format!("made the project {name}; work in it: {}", there.command("status")));
            Ok(())
        }
    }
}

/// Members of a project
#[derive(Debug, Args)]
pub struct MemberArgs {
    #[command(subcommand)]
    command: MemberCommand,
}

#[derive(Debug, Subcommand)]
enum MemberCommand {
    /// List the project's members
    List,
    /// Give a user a role in the project, or another one
    #[command(after_help = "Example:\n  lathe member set alice contributor --project fraud")]
    Set {
        /// Who
        #[arg(value_name = "USER")]
        username: String,
        /// As what
        #[arg(value_name = "ROLE", value_enum)]
        role: RoleName,
    },
    /// Take a user's role in the project away
    Remove {
        /// Who
        #[arg(value_name = "USER")]
        username: String,
    },
}

#[derive(Debug, Deserialize)]
struct MemberList {
    members: Vec<MemberEntry>,
}

#[derive(Debug, Deserialize)]
struct MemberEntry {
    username: String,
    role: String,
}

/// Runs `lathe member …`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn run_member(MemberArgs { command }: MemberArgs, client: &Client, output: &Output) -> Result<()> {
    let project = client.project().as_str();
    match command {
        MemberCommand::List => {
            let MemberList { members } = client.get(&["projects", project, "members"]).await?;
            let mut table = Table::new([("username", "USER"), ("role", "ROLE")]);
            for MemberEntry { username, role } in members {
                table.push(vec![Cell::Text(username), Cell::Text(role)]);
            }
            output.print_list(&table, "members")
        }
        MemberCommand::Set { username, role } => {
            let request = client.native(Method::PUT, &["projects", project, "members", &username]);
            client.answer::<Value>(request.json(&json!({ "role": role.as_str() }))).await?;
            output.note(&format!("{username} is {} of project {project}", role.as_str()));
            Ok(())
        }
        MemberCommand::Remove { username } => {
            let request = client.native(Method::DELETE, &["projects", project, "members", &username]);
            client.answer::<Value>(request).await?;
            output.note(&format!("{username} is no member of project {project} any more"));
            Ok(())
        }
    }
}
