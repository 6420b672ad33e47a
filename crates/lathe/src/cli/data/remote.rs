//! A ref of a repository, as the commands talk to it.

use lathe_core::Result;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::address::Address;
use crate::cli::client::Client;

#[derive(Debug, Deserialize)]
struct Repository {
    default_branch: String,
}

/// A file of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Object {
    /// Its path in the repository.
    pub path: String,
    /// How long it is.
    pub size_bytes: u64,
    /// BLAKE3 of its bytes.
    pub hash: String,
    /// Its media type, if one is known.
    #[serde(default)]
    pub content_type: String,
    /// When it was written, in milliseconds since 1970.
    pub modified_at_ms: i64,
}

#[derive(Debug, Deserialize)]
struct Page {
    objects: Vec<Object>,
    prefixes: Vec<String>,
    next_page_token: Option<String>,
}

/// What is below a prefix.
#[derive(Debug, Default)]
pub struct Listing {
    /// Files, by path.
    pub objects: Vec<Object>,
    /// Folders, by name; only of a listing of one level.
    pub folders: Vec<String>,
}

/// A repository at a ref.
#[derive(Debug, Clone)]
pub struct Remote<'c> {
    client: &'c Client,
    /// The repository.
    pub repository: String,
    /// The ref.
    pub revision: String,
}

impl<'c> Remote<'c> {
    /// Finds the ref of an address: the repository's default branch when it names none.
    ///
    /// # Errors
    /// `NotFound`, and as [`Client::answer`].
    pub async fn open(client: &'c Client, address: &Address) -> Result<Self> {
        let revision = match &address.revision {
            Some(revision) => revision.clone(),
            None => client.get::<Repository>(&["repos", &address.repository]).await?.default_branch,
        };
        Ok(Self { client, repository: address.repository.clone(), revision })
    }

    /// A request below the repository.
    pub fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.client.native(method, &[&["repos", self.repository.as_str()], path].concat())
    }

    /// A request about one file.
    pub fn object(&self, method: Method, path: &str) -> RequestBuilder {
        let mut segments = vec!["refs", self.revision.as_str(), "objects"];
        segments.extend(path.split('/'));
        self.request(method, &segments)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        self.client.answer(request).await
    }

    /// Sends a request whose answer is bytes.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub async fn open_stream(&self, request: RequestBuilder) -> Result<reqwest::Response> {
        self.client.stream(request).await
    }

    /// Whether something lies below a path.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub async fn is_folder(&self, path: &str) -> Result<bool> {
        let query = [("prefix", format!("{path}/")), ("max_results", "1".to_owned())];
        let request = self.request(Method::GET, &["refs", &self.revision, "objects"]).query(&query);
        let Page { objects, prefixes, .. } = self.answer(request).await?;
        Ok(!objects.is_empty() || !prefixes.is_empty())
    }

    /// Everything whose path begins with a prefix; with `is_flat`, one level of it.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub async fn list(&self, prefix: &str, is_flat: bool) -> Result<Listing> {
        let mut listing = Listing::default();
        let mut token: Option<String> = None;
        loop {
            let mut query = vec![("prefix", prefix.to_owned())];
            query.extend(is_flat.then(|| ("delimiter", "/".to_owned())));
            query.extend(token.take().map(|token| ("page_token", token)));
            let request = self.request(Method::GET, &["refs", &self.revision, "objects"]).query(&query);
            let page: Page = self.answer(request).await?;
            listing.objects.extend(page.objects);
            listing.folders.extend(page.prefixes);
            match page.next_page_token {
                Some(next) => token = Some(next),
                None => return Ok(listing),
            }
        }
    }
}
