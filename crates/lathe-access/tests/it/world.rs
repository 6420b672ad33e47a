//! A server with login, its administrator, and short words for what tests do all the time.

use lathe_access::tokens::{CreateToken, Holder, Scope, create_token};
use lathe_access::users::{CreateUser, create_user};
use lathe_access::{Access, Credentials, Mode, ServerKey, members, projects};
use lathe_core::{Clock, Code, Ctx, Grant, Project, Result, Role, TokenId};
use lathe_db::Db;
use lathe_db::ledger::{self, EventFilter, EventRecord, sealer};

pub const ADMIN_PASSWORD: &str = "correct horse battery";
pub const PASSWORD: &str = "long enough";

pub struct World {
    pub access: Access,
    pub clock: Clock,
    pub db: Db,
    /// The administrator `admin` in the project `default`.
    pub admin: Ctx,
}

pub fn project(name: &str) -> Project {
    Project::parse(name).unwrap()
}

pub fn basic(username: &str, password: &str) -> Credentials {
    Credentials::Basic { username: username.to_owned(), password: password.to_owned() }
}

pub fn bearer(token: &str) -> Credentials {
    Credentials::Bearer(token.to_owned())
}

pub fn personal(name: &str) -> CreateToken {
    CreateToken { name: name.to_owned(), holder: Holder::Personal, scope: Scope::All, expires_in_days: None }
}

pub fn service(name: &str, role: Role) -> CreateToken {
    CreateToken { holder: Holder::Service(role), ..personal(name) }
}

pub fn code<T>(result: Result<T>) -> Code {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => error.code(),
    }
}

impl World {
    pub async fn start(db: Db) -> Self {
        let clock = Clock::fixed(1_700_000_000_000);
        let access = Access::new(db.clone(), Mode::Login, clock.clone(), ServerKey::from_bytes([7; 32]));
        access.prepare(Some(ADMIN_PASSWORD)).await.unwrap();
        let admin =
            access.resolve(basic("admin", ADMIN_PASSWORD), Project::default_project(), "r".to_owned()).await.unwrap();
        Self { access, clock, db, admin }
    }

    pub async fn resolve(&self, credentials: Credentials) -> Result<Ctx> {
        self.resolve_in(credentials, Project::DEFAULT).await
    }

    pub async fn resolve_in(&self, credentials: Credentials, name: &str) -> Result<Ctx> {
        self.access.resolve(credentials, project(name), "r".to_owned()).await
    }

    /// The administrator in another project.
    pub fn admin_in(&self, name: &str) -> Ctx {
        Ctx { project: project(name), ..self.admin.clone() }
    }

    pub async fn make_project(&self, name: &str) {
        projects::create_project(&self.admin, &self.access, project(name), String::new()).await.unwrap();
    }

    /// Makes a user with [`PASSWORD`], and with a role in `default` if one is given.
    pub async fn make_user(&self, username: &str, role: Option<Role>) {
        let password = Some(PASSWORD.to_owned());
        let request = CreateUser { username: username.to_owned(), password, is_admin: false };
        create_user(&self.admin, &self.access, request).await.unwrap();
        if let Some(role) = role {
            members::set_member(&self.admin, &self.access, username.to_owned(), role).await.unwrap();
        }
    }

    /// The context of a user as the server would make it, without the cost of a password.
    pub fn acting(&self, username: &str, role: Option<Role>) -> Ctx {
        Ctx { actor: lathe_core::Actor::user(username), grant: Grant { role, ..Grant::NONE }, ..self.admin.clone() }
    }

    pub async fn make_token(&self, ctx: &Ctx, request: CreateToken) -> (TokenId, String) {
        create_token(ctx, &self.access, request).await.unwrap()
    }

    /// Everything recorded in a project, oldest first.
    pub async fn events(&self, name: &str) -> Vec<EventRecord> {
        sealer::seal_all(&self.db, "tester", &Clock::System).await.unwrap();
        let ctx = self.admin_in(name);
        let mut found = ledger::list(&ctx, &self.db, &EventFilter::default(), None, 100).await.unwrap().items;
        found.reverse();
        found
    }

    /// What was recorded, as `action subject`.
    pub async fn actions(&self, name: &str) -> Vec<String> {
        self.events(name).await.iter().map(|event| format!("{} {}", event.action, event.subject)).collect()
    }
}
