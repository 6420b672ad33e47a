//! Talking to a server: where it is, who one is there, and what its errors mean here.

use std::time::Duration;

use clap::Args;
use lathe_core::{Code, Error, Project, Result};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::{Host, Url};

use super::credentials::{self, StoredToken};
use super::status::ServerInfo;
use super::text::shell_word;

/// The server that commands talk to unless told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:4400";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Who asks whether a server is there at all does not wait long.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// A verification of a long ledger takes a while.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// How the TLS client says that an answer is none of TLS.
const NO_TLS: &str = "InvalidContentType";

/// Which server, which project, and as whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub struct ConnectionArgs {
    /// The server to talk to
    #[arg(long, global = true, env = "LATHE_URL", default_value = DEFAULT_URL, value_name = "URL")]
    url: String,
    /// The project to work in [default: default]
    #[arg(short, long, global = true, env = "LATHE_PROJECT", value_name = "NAME")]
    project: Option<String>,
    /// Access token [default: the one that `lathe login` stored for the server]
    #[arg(long, global = true, env = "LATHE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
}

/// Where the token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// There is none; a server without login needs none.
    None,
    /// From the flag or from the environment.
    Given(String),
    /// From `lathe login`.
    Stored(StoredToken),
}

/// A server, a project and a credential.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    project: Project,
    credential: Credential,
}

impl Client {
    /// A client of the server at an address, in the project `default`, with the token that is given or stored for it.
    ///
    /// # Errors
    /// As [`ConnectionArgs::connect`].
    pub fn at(url: &str) -> Result<Self> {
        ConnectionArgs { url: url.to_owned(), project: None, token: std::env::var("LATHE_TOKEN").ok() }.connect()
    }
}

impl Client {
    /// A client with a token, for instance a run's.
    ///
    /// # Errors
    /// As [`ConnectionArgs::connect`].
    pub fn with_token(url: &str, project: &str, token: &str) -> Result<Self> {
        let (base, _) = parse_url(url)?;
        Client::new(base, Project::parse(project)?, Credential::Given(token.to_owned()))
    }
}

impl ConnectionArgs {
    /// Reads what was given; sends nothing.
    ///
    /// # Errors
    /// `InvalidArgument` for a URL or a project that cannot be and for a token that is empty, `Unavailable` for stored tokens that cannot be
    /// read.
    pub fn connect(self) -> Result<Client> {
        let ConnectionArgs { url, project, token } = self;
        let (base, path_project) = parse_url(&url)?;
        let project = match (project, path_project) {
            (Some(project), _) => Project::parse(&project)?,
            (None, Some(project)) => project,
            (None, None) => Project::default_project(),
        };
        let credential = match token {
            // Whoever names a token, and be it by mistake an empty one, does not mean the stored one: that may be another person's.
            Some(token) if token.is_empty() => {
                return Err(
                    Error::invalid("LATHE_TOKEN or --token is set and empty").with_hint("unset it or give a token")
                );
            }
            Some(token) => Credential::Given(token),
            None => credentials::find(&shown(&base))?.map_or(Credential::None, Credential::Stored),
        };
        Client::new(base, project, credential)
    }
}

/// The server's own address, and the project if the path names one, as MLflow's tracking URIs do.
fn parse_url(text: &str) -> Result<(Url, Option<Project>)> {
    let wrong = |why: &str| {
        Error::invalid(format!("{text:?} is no server: {why}")).with_hint(format!("for instance --url {DEFAULT_URL}"))
    };
    let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("it must start with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("give user and password to `lathe login`, and nothing after the address"));
    }
    let project = match url.path().trim_matches('/') {
        "" => None,
        path => match path.strip_prefix("p/") {
            Some(project) => Some(Project::parse(project)?),
            None => return Err(wrong("only a project (/p/<project>) may follow the address")),
        },
    };
    url.set_path("");
    Ok((url, project))
}

fn shown(base: &Url) -> String {
    base.as_str().trim_end_matches('/').to_owned()
}

/// What a failed request says, in either dialect.
#[derive(Debug, Deserialize)]
struct Problem {
    code: Option<String>,
    error_code: Option<String>,
    message: String,
    hint: Option<String>,
}

impl Client {
    /// A client of one server.
    ///
    /// # Errors
    /// `Unavailable` when no TLS can be set up.
    pub fn new(base: Url, project: Project, credential: Credential) -> Result<Self> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("lathe/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT);
        // No proxy leads to this machine.
        let builder = if is_loopback(&base) { builder.no_proxy() } else { builder };
        let http = builder
            .build()
            .map_err(|error| Error::new(Code::Unavailable, "this machine cannot speak HTTP").with_source(error))?;
        Ok(Self { http, base, project, credential })
    }

    /// The server's address.
    pub fn url(&self) -> String {
        shown(&self.base)
    }

    /// The project that requests are about.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// The same server, about another project.
    #[must_use]
    pub fn in_project(&self, project: Project) -> Self {
        Self { project, ..self.clone() }
    }

    /// As whom requests are sent.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The token that requests carry.
    pub fn token(&self) -> Option<&str> {
        match &self.credential {
            Credential::None => None,
            Credential::Given(token) => Some(token),
            Credential::Stored(stored) => Some(&stored.token),
        }
    }

    /// Whether the server is on this machine.
    pub fn is_local(&self) -> bool {
        is_loopback(&self.base)
    }

    /// The same address without TLS, when it was said to have it.
    pub fn plain_url(&self) -> Option<String> {
        let url = self.url();
        url.starts_with("https:").then(|| url.replacen("https:", "http:", 1))
    }

    /// The port of the server's address.
    pub fn port(&self) -> u16 {
        self.base.port_or_known_default().unwrap_or_default()
    }

    /// What MLflow's clients call the tracking URI.
    pub fn tracking_uri(&self) -> String {
        if self.project == Project::default_project() {
            self.url()
        } else {
            format!("{}/p/{}", self.url(), self.project)
        }
    }

    /// The address of a page of the UI.
    pub fn page(&self, segments: &[&str]) -> String {
        let mut path = vec!["p", self.project.as_str()];
        path.extend(segments);
        self.address_of(&path).to_string()
    }

    /// A runnable `lathe …` that means this server and this project.
    pub fn command(&self, words: &str) -> String {
        let command = self.server_command(words);
        if self.project == Project::default_project() {
            command
        } else {
            format!("{command} --project {}", self.project)
        }
    }

    /// A runnable `lathe …` that means this server, whatever the project.
    pub fn server_command(&self, words: &str) -> String {
        let url = self.url();
        if url == DEFAULT_URL { format!("lathe {words}") } else { format!("lathe {words} --url {}", shell_word(&url)) }
    }

    fn address_of(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // An http URL always has a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(segments);
        }
        url
    }

    fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.http.request(method, self.address_of(segments)).header("x-mlflow-workspace", self.project.as_str())
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match self.token() {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A request to the native API without credentials.
    pub fn anonymous(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.request(method, &[&["api", "v1"], segments].concat())
    }

    /// A request to the native API; segments are escaped.
    pub fn native(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.signed(self.anonymous(method, segments))
    }

    /// A request to MLflow's API, `runs/get` for instance.
    pub fn mlflow(&self, method: Method, path: &'static str) -> RequestBuilder {
        let mut segments = vec!["api", "2.0", "mlflow"];
        segments.extend(path.split('/'));
        self.signed(self.request(method, &segments))
    }

    /// A request about an artifact that the server keeps, by the segments of its path.
    pub fn artifact(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.signed(self.request(method, &[&["api", "2.0", "mlflow-artifacts", "artifacts"], path].concat()))
    }

    /// Where a deployment answers MLflow's scoring protocol.
    pub fn scoring_address(&self, deployment: &str) -> String {
        let path = ["serving", deployment, "invocations"];
        let is_default = self.project == Project::default_project();
        let prefix: &[&str] = if is_default { &[] } else { &["p", self.project.as_str()] };
        self.address_of(&[prefix, &path].concat()).to_string()
    }

    /// A request to a deployment in MLflow's scoring protocol.
    pub fn scoring(&self, deployment: &str) -> RequestBuilder {
        self.signed(self.request(Method::POST, &["serving", deployment, "invocations"]))
    }

    /// A GET of the native API, answered.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub async fn get<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T> {
        self.answer(self.native(Method::GET, segments)).await
    }

    /// What the server says about itself.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub async fn server_info(&self) -> Result<ServerInfo> {
        self.answer(self.anonymous(Method::GET, &["server"]).timeout(PROBE_TIMEOUT)).await
    }

    /// Sends a request and reads its answer; an empty one is read as null.
    ///
    /// # Errors
    /// `Unavailable` when no Lathe answers, and what the server says.
    pub async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.failure(status, response).await);
        }
        let bytes = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(text).map_err(|error| self.not_lathe().with_source(error))
    }

    /// Sends a request whose refusal with a code has a body of its own, which is read like an answer.
    ///
    /// # Errors
    /// As [`Client::answer`], for other refusals and for such ones without more than an error's usual body.
    pub async fn answer_also(&self, request: RequestBuilder, code: Code) -> Result<serde_json::Value> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().as_u16() != code.http_status() {
            let status = response.status();
            if !status.is_success() {
                return Err(self.failure(status, response).await);
            }
        }
        let bytes = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| self.not_lathe().with_source(error))
    }

    /// Sends a request whose answer is streamed.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub async fn stream(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() { Ok(response) } else { Err(self.failure(status, response).await) }
    }

    /// What time it is on the server, as HTTP writes it.
    pub async fn date(&self) -> Option<String> {
        let request = self.anonymous(Method::GET, &["server"]).timeout(PROBE_TIMEOUT);
        let response = request.send().await.ok()?;
        response.headers().get(reqwest::header::DATE)?.to_str().ok().map(str::to_owned)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        let what = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
        let cause = root_cause(error);
        let plain = self.plain_url().filter(|_| cause.contains(NO_TLS));
        let hint = match (plain, self.is_local(), self.url() == DEFAULT_URL) {
            (Some(plain), ..) => format!("what answers there speaks no TLS: --url {plain}"),
            (None, true, true) => "start a server: lathe serve".to_owned(),
            (None, true, false) => format!("start a server: lathe serve --listen {}", authority(&self.base)),
            (None, false, _) => format!("find out why: {}", self.command("doctor")),
        };
        Error::new(Code::Unavailable, format!("the server {} {what}", self.url())).with_hint(hint).with_source(cause)
    }

    fn not_lathe(&self) -> Error {
        Error::new(Code::Unavailable, format!("{} answers, but not as this Lathe's server does", self.url()))
            .with_hint(format!("find out why: {}", self.command("doctor")))
    }

    async fn failure(&self, status: StatusCode, response: Response) -> Error {
        let is_about_caller = response.url().path().ends_with("/whoami");
        let bytes = response.bytes().await.unwrap_or_default();
        let Ok(Problem { code, error_code, message, hint }) = serde_json::from_slice(&bytes) else {
            return self.not_lathe().with_context(format!("it answered {status}"));
        };
        let code = code.or(error_code).map_or(Code::Internal, |code| code_of(&code, status));
        // MLflow's dialect has no place of its own for a hint.
        let (message, hint) = match (hint, message.split_once(" Hint: ")) {
            (None, Some((message, hint))) => {
                (message.trim_end_matches('.').to_owned(), Some(hint.trim_end_matches('.').to_owned()))
            }
            (hint, _) => (message, hint),
        };
        let error = Error::new(code, message);
        match (code, hint) {
            (Code::Unauthenticated, _) => error.with_hint(self.sign_in_hint()),
            // It would lead back here.
            (Code::PermissionDenied, None) if is_about_caller => {
                error.with_hint(format!("use another token, or sign in: {}", self.server_command("login")))
            }
            (Code::PermissionDenied, None) => {
                error.with_hint(format!("see your roles and projects: {}", self.command("whoami")))
            }
            (_, Some(hint)) => error.with_hint(hint),
            (_, None) => error,
        }
    }

    fn sign_in_hint(&self) -> String {
        let login = self.server_command("login");
        match &self.credential {
            Credential::None => format!("sign in: {login}"),
            Credential::Given(_) => {
                format!("the token of LATHE_TOKEN or --token does not hold here: unset LATHE_TOKEN && {login}")
            }
            Credential::Stored(_) => format!("the stored token does not hold any more: {login}"),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// `host:port`.
fn authority(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// The innermost of an error's causes: the ones around it repeat the address.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// What a server's word for an error means.
pub(super) fn code_of(word: &str, status: StatusCode) -> Code {
    match word {
        "invalid_argument" | "INVALID_PARAMETER_VALUE" if status != StatusCode::PAYLOAD_TOO_LARGE => {
            Code::InvalidArgument
        }
        "unauthenticated" | "UNAUTHENTICATED" => Code::Unauthenticated,
        "permission_denied" | "PERMISSION_DENIED" => Code::PermissionDenied,
        "not_found" | "RESOURCE_DOES_NOT_EXIST" => Code::NotFound,
        "already_exists" | "RESOURCE_ALREADY_EXISTS" => Code::AlreadyExists,
        "conflict" => Code::Conflict,
        "precondition_failed" => Code::PreconditionFailed,
        "too_large" | "INVALID_PARAMETER_VALUE" => Code::TooLarge,
        "rate_limited" | "REQUEST_LIMIT_EXCEEDED" => Code::RateLimited,
        "unavailable" | "TEMPORARILY_UNAVAILABLE" => Code::Unavailable,
        "out_of_space" | "RESOURCE_EXHAUSTED" => Code::OutOfSpace,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_name_a_project_and_nothing_else() {
        let (base, project) = parse_url("https://lathe.example/p/fraud/").unwrap();
        assert_eq!((shown(&base).as_str(), project.unwrap().as_str()), ("https://lathe.example", "fraud"));
        assert!(parse_url("http://[::1]:4400").unwrap().1.is_none());
        for wrong in ["lathe.example", "ftp://x", "http://u:p@x", "http://x/api", "http://x/?a=b", "http://x/p/NO"] {
            assert_eq!(parse_url(wrong).unwrap_err().code(), Code::InvalidArgument, "{wrong}");
        }
    }

    #[test]
    fn an_empty_token_does_not_mean_the_stored_one() {
        let given = |token: Option<&str>| ConnectionArgs {
            url: "http://127.0.0.1:1".to_owned(),
            project: None,
            token: token.map(str::to_owned),
        };
        let refused = given(Some("")).connect().unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, "LATHE_TOKEN or --token is set and empty")
        );
        assert_eq!(given(Some("lth_x")).connect().unwrap().token(), Some("lth_x"));
    }

    #[test]
    fn a_hint_asks_the_same_server_and_project() {
        let client = |url: &str, project: &str| Client::with_token(url, project, "t").unwrap();
        assert_eq!(client(DEFAULT_URL, "default").command("run list"), "lathe run list");
        assert_eq!(client(DEFAULT_URL, "alpha").command("run list"), "lathe run list --project alpha");
        let there = client("https://lathe.example", "alpha");
        assert_eq!(there.command("run list"), "lathe run list --url https://lathe.example --project alpha");
        assert_eq!(there.server_command("login"), "lathe login --url https://lathe.example");
    }

    #[test]
    fn captured_segments_cannot_leave_their_place() {
        let (base, _) = parse_url("http://127.0.0.1:4400").unwrap();
        let client = Client::new(base, Project::default_project(), Credential::None).unwrap();
        let request = client.native(Method::GET, &["users", "../a b?c"]).build().unwrap();
        assert_eq!(request.url().path(), "/api/v1/users/..%2Fa%20b%3Fc");
    }
}
