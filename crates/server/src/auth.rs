//! Who is calling, and what they may do.
//!
//! Browsers hold a session cookie; machines send a token as `Bearer` or `Token`, as the user or password of
//! basic authentication, or as `u` and `p`, because that is what the line-protocol clients of the world do.
//! A handler names the right it needs by the extractor it takes: [`Reader`], [`Operator`], [`Engineer`],
//! [`Admin`], [`Writer`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metastore::{Role, Scope};
use sha2::{Digest, Sha256};
use signal::TenantId;

use crate::App;
use crate::door::Peer;
use crate::error::{ApiError, Result};
use crate::extract::no_json;

/// The cookie that holds a session.
pub(crate) const COOKIE: &str = "fettler_session";
/// How long a session lives.
pub(crate) const SESSION_US: i64 = 14 * signal::DAY_US;
/// How long a checked password or token is believed without looking again.
const BELIEVED_US: i64 = 10 * signal::SECOND_US;
/// Most credentials that are believed at the same time.
const MAX_BELIEVED: usize = 1_000;
/// Wrong tries before a name must wait …
const MAX_TRIES: u32 = 5;
/// … for so long.
const WAIT_US: i64 = 30 * signal::SECOND_US;
/// Most names whose wrong tries are remembered.
const MAX_NAMES: usize = 10_000;

/// Somebody who is known.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    pub(crate) door: Door,
}

/// How they came in.
#[derive(Clone, Debug)]
pub(crate) enum Door {
    /// With a password, now or when the session began.
    Person { id: u32, role: Role, must_change_password: bool, session: Option<String> },
    /// With a token.
    Token(Scope),
    /// From this machine, without any.
    Loopback,
}

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    Read,
    Operate,
    Engineer,
    Admin,
    Write,
}

impl Caller {
    fn may(&self, right: Right) -> bool {
        match (&self.door, right) {
            (Door::Person { .. }, Right::Read | Right::Operate) => true,
            (Door::Person { role, .. }, Right::Engineer | Right::Write) => *role >= Role::Engineer,
            (Door::Person { role, .. }, Right::Admin) => *role == Role::Admin,
            (Door::Token(Scope::All), right) => right != Right::Admin,
            (Door::Token(Scope::Read), right) => right == Right::Read,
            (Door::Token(Scope::Write) | Door::Loopback, right) => right == Right::Write,
        }
    }
}

macro_rules! right {
    ($(#[$doc:meta])* $name:ident, $right:expr) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(crate) Caller);

        impl FromRequestParts<Arc<App>> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<$name> {
                Ok($name(require(parts, app, $right).await?))
            }
        }
    };
}

right!(
    /// May look at everything.
    Reader,
    Right::Read
);
right!(
    /// May handle alarms.
    Operator,
    Right::Operate
);
right!(
    /// May change model, rules and detection.
    Engineer,
    Right::Engineer
);
right!(
    /// May manage people and tokens.
    Admin,
    Right::Admin
);
right!(
    /// May send data in.
    Writer,
    Right::Write
);

async fn require(parts: &Parts, app: &App, right: Right) -> Result<Caller> {
    // InfluxDB clients send `root:root` where nobody asks who they are; only our own tokens are looked at there.
    let local = loopback(parts, app, right).filter(|_| !shows_our_token(parts));
    let caller = match local {
        Some(local) => Some(local),
        None => identify(parts, app).await?,
    };
    let Some(caller) = caller else {
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "not_logged_in",
            "nobody is logged in",
        )
        .hint("POST /api/v1/login, or send a token as `Authorization: Bearer …`"));
    };
    if caller.tenant != app.state.ingest.tenant() {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "other_tenant",
            "this instance serves another tenant",
        ));
    }
    if caller.may(right) {
        return Ok(caller);
    }
    let needs = match right {
        Right::Read => "a token with scope `read` or `all`",
        Right::Operate => "an operator",
        Right::Engineer => "an engineer",
        Right::Admin => "an admin",
        Right::Write => "an engineer, or a token with scope `write` or `all`",
    };
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "not_allowed",
        format!("`{}` may not do this", caller.name),
    )
    .hint(format!("this needs {needs}")))
}

/// Whoever the request says is calling; none when it says nothing, an error when it lies.
pub(crate) async fn identify(parts: &Parts, app: &App) -> Result<Option<Caller>> {
    if let Some(credential) = credential(parts) {
        return check_credential(app, credential).await.map(Some);
    }
    let Some(secret) = cookie(&parts.headers) else { return Ok(None) };
    let user = app.state.metastore.session_user(secret, app.now_us()).await?;
    Ok(user.map(|user| person(user, Some(secret.to_owned()))))
}

fn person(user: metastore::User, session: Option<String>) -> Caller {
    Caller {
        tenant: user.tenant,
        name: user.name,
        door: Door::Person {
            id: user.id,
            role: user.role,
            must_change_password: user.must_change_password,
            session,
        },
    }
}

fn shows_our_token(parts: &Parts) -> bool {
    matches!(credential(parts), Some(Credential::Token(token)) if token.starts_with("ft_"))
}

/// What a machine sends to prove itself.
#[derive(Clone, PartialEq, Eq)]
enum Credential {
    Token(String),
    Password { user: String, password: String },
}

fn credential(parts: &Parts) -> Option<Credential> {
    if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        // A header that cannot be read is a wrong token, not the absence of one.
        let value = value.to_str().unwrap_or_default();
        return Some(from_header(value).unwrap_or_else(|| Credential::Token(String::new())));
    }
    // A browser's address has no secrets in it; only the inlets take what InfluxDB 1 clients put there.
    if !matches!(parts.uri.path(), "/write" | "/api/v2/write") {
        return None;
    }
    from_query(parts.uri.query()?)
}

fn from_header(value: &str) -> Option<Credential> {
    let (scheme, rest) = value.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(Credential::Token(rest.trim().to_owned())),
        // InfluxDB 1 clients send `Token user:password`, InfluxDB 2 clients `Token <token>`.
        "token" => Some(match rest.trim().split_once(':') {
            Some((user, password)) => of_pair(user, password),
            None => Credential::Token(rest.trim().to_owned()),
        }),
        "basic" => {
            let decoded = String::from_utf8(base64_decode(rest.trim())?).ok()?;
            let (user, password) = decoded.split_once(':')?;
            Some(of_pair(user, password))
        }
        _ => None,
    }
}

/// `u` and `p`, as InfluxDB 1 takes them.
fn from_query(query: &str) -> Option<Credential> {
    let mut user = None;
    let mut password = None;
    for (key, value) in form_pairs(query) {
        match key.as_str() {
            "u" => user = Some(value),
            "p" => password = Some(value),
            _ => {}
        }
    }
    Some(of_pair(&user?, &password?))
}

/// Clients that only know user and password send a token as the password.
fn of_pair(user: &str, password: &str) -> Credential {
    if password.starts_with("ft_") {
        Credential::Token(password.to_owned())
    } else {
        Credential::Password { user: user.to_owned(), password: password.to_owned() }
    }
}

async fn check_credential(app: &App, credential: Credential) -> Result<Caller> {
    let now_us = app.now_us();
    let digest = digest(&credential);
    if let Some(caller) = app.believed.get(&digest, now_us) {
        return Ok(caller);
    }
    let caller = match credential {
        Credential::Token(secret) => {
            let token = app.state.metastore.verify_token(&secret).await?;
            token.map(|token| Caller {
                tenant: token.tenant,
                name: token.name,
                door: Door::Token(token.scope),
            })
        }
        Credential::Password { user, password } => {
            verify_password(app, &user, &password).await?.map(|user| person(user, None))
        }
    };
    let caller = caller.ok_or_else(|| {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "wrong_credentials",
            "this token or password opens nothing",
        )
    })?;
    app.believed.put(digest, caller.clone(), now_us);
    Ok(caller)
}

/// Checks a password, but not more often than [`MAX_TRIES`] in a row when it is wrong.
pub(crate) async fn verify_password(
    app: &App,
    name: &str,
    password: &str,
) -> Result<Option<metastore::User>> {
    let now_us = app.now_us();
    if let Err(wait_s) = app.tries.may_try(name, now_us) {
        let message = format!("{MAX_TRIES} wrong passwords for `{name}`");
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", message)
            .hint(format!("try again in {wait_s} s"))
            .retry_after(wait_s));
    }
    let user = app.state.metastore.verify_password(name, password).await?;
    app.tries.tried(name, user.is_some(), app.now_us());
    Ok(user)
}

fn loopback(parts: &Parts, app: &App, right: Right) -> Option<Caller> {
    let peer = parts.extensions.get::<ConnectInfo<Peer>>()?.0.0;
    // Behind a proxy everybody comes from this machine.
    let is_proxied =
        parts.headers.contains_key("x-forwarded-for") || parts.headers.contains_key("forwarded");
    let may = app.options.anonymous_writes_from_loopback && right == Right::Write;
    (may && peer.ip().is_loopback() && !is_proxied).then(|| Caller {
        tenant: app.state.ingest.tenant(),
        name: "loopback".to_owned(),
        door: Door::Loopback,
    })
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE && !value.is_empty()).then_some(value)
    })
}

/// Refuses what a foreign web page could send in a person's name.
///
/// A page that rebinds its DNS name to this machine still sends its own name as `Host`; a page that posts here
/// from elsewhere sends its own `Origin`; and a form cannot send JSON.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if let Err(error) =
        check_origin(&app, request.headers(), request.uri().authority().map(|host| host.as_str()))
    {
        return error.into_response();
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && request.uri().path().starts_with("/api/v1/") && !is_json(request.headers()) {
        return no_json().into_response();
    }
    next.run(request).await
}

fn check_origin(app: &App, headers: &HeaderMap, authority: Option<&str>) -> Result<()> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).or(authority).unwrap_or_default();
    if let Some(origin) = text(header::ORIGIN) {
        let from = origin.split_once("://").map_or(origin, |(_, from)| from);
        if !from.eq_ignore_ascii_case(host) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "foreign_origin",
                format!("`{origin}` is not this site"),
            ));
        }
    }
    // With a token there is nothing to steal: a foreign page does not know it.
    if headers.contains_key(header::AUTHORIZATION) || is_our_host(host, &app.options.hosts) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "unknown_host",
        format!("`{host}` is not a name of this server"),
    )
    .hint("add it to `hosts` in the section `[web]` of the configuration"))
}

/// Addresses, names without a dot and names of private networks cannot be a foreign page's; others must be listed.
fn is_our_host(host: &str, listed: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let private = [".localhost", ".local", ".lan", ".internal", ".home.arpa"];
    bare.parse::<std::net::IpAddr>().is_ok()
        || (!name.is_empty() && !name.contains('.'))
        || private.iter().any(|end| name.to_ascii_lowercase().ends_with(end))
        || listed.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// Credentials that were checked a moment ago: a password costs 20 ms of computing, a client sends it each time.
#[derive(Default)]
pub(crate) struct Believed {
    callers: Mutex<HashMap<[u8; 32], (Caller, i64)>>,
}

impl Believed {
    fn get(&self, digest: &[u8; 32], now_us: i64) -> Option<Caller> {
        let callers = self.lock();
        callers
            .get(digest)
            .filter(|(_, until_us)| *until_us > now_us)
            .map(|(caller, _)| caller.clone())
    }

    fn put(&self, digest: [u8; 32], caller: Caller, now_us: i64) {
        let mut callers = self.lock();
        if callers.len() >= MAX_BELIEVED {
            callers.clear();
        }
        callers.insert(digest, (caller, now_us + BELIEVED_US));
    }

    /// After a token, a user or a password was changed.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], (Caller, i64)>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(credential: &Credential) -> [u8; 32] {
    let mut hash = Sha256::new();
    match credential {
        Credential::Token(secret) => hash.update(secret.as_bytes()),
        Credential::Password { user, password } => {
            hash.update(user.as_bytes());
            hash.update([0]);
            hash.update(password.as_bytes());
        }
    }
    hash.finalize().into()
}

/// Wrong passwords in a row, by name.
#[derive(Default)]
pub(crate) struct Tries {
    names: Mutex<HashMap<String, (u32, i64)>>,
}

impl Tries {
    /// Seconds to wait, when there were too many.
    fn may_try(&self, name: &str, now_us: i64) -> std::result::Result<(), u32> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        match names.get(name) {
            Some((n_wrong, last_us)) if *n_wrong >= MAX_TRIES && now_us < last_us + WAIT_US => {
                Err(((last_us + WAIT_US - now_us) as u64).div_ceil(signal::SECOND_US as u64) as u32)
            }
            _ => Ok(()),
        }
    }

    fn tried(&self, name: &str, is_right: bool, now_us: i64) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, (_, last_us)| now_us < *last_us + WAIT_US);
        if is_right {
            names.remove(name);
        } else if names.len() < MAX_NAMES || names.contains_key(name) {
            let (n_wrong, last_us) = names.entry(name.to_owned()).or_default();
            *n_wrong += 1;
            *last_us = now_us;
        }
    }
}

/// `a=1&b=x%20y` → pairs. What cannot be decoded is kept as it is.
pub(crate) fn form_pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let bytes = text.as_bytes();
        let mut decoded = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
            match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                Some(byte) => {
                    decoded.push(byte);
                    at += 3;
                }
                None => {
                    decoded.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                    at += 1;
                }
            }
        }
        String::from_utf8_lossy(&decoded).into_owned()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

/// Standard base64 (RFC 4648 §4), padding optional; none when it is not.
fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let mut bits = 0u32;
    let mut n_bits = 0;
    let mut decoded = Vec::with_capacity(text.len() * 3 / 4);
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        n_bits += 6;
        if n_bits >= 8 {
            n_bits -= 8;
            decoded.push((bits >> n_bits) as u8);
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_foreign_page_cannot_have_are_ours() {
        for (host, expected) in [
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("localhost:8080", true),
            ("plantserver", true),
            ("fettler.lan:80", true),
            ("fettler.example.com", true),
            ("evil.com:8080", false),
            ("127.0.0.1.evil.com", false),
            ("", false),
        ] {
            assert_eq!(is_our_host(host, &["fettler.example.com".to_owned()]), expected, "{host}");
        }
    }

    #[test]
    fn five_wrong_passwords_wait_thirty_seconds() {
        let tries = Tries::default();
        for n in 0..5 {
            assert_eq!(tries.may_try("anna", n), Ok(()));
            tries.tried("anna", false, n);
        }
        assert_eq!(tries.may_try("anna", signal::SECOND_US), Err(30));
        assert_eq!(tries.may_try("bert", signal::SECOND_US), Ok(()), "others do not wait");
        assert_eq!(tries.may_try("anna", 31 * signal::SECOND_US), Ok(()));
        tries.tried("anna", true, 31 * signal::SECOND_US);
        tries.tried("anna", false, 32 * signal::SECOND_US);
        assert_eq!(
            tries.may_try("anna", 33 * signal::SECOND_US),
            Ok(()),
            "a right one begins anew"
        );
    }

    #[test]
    fn clients_of_the_world_are_understood() {
        let is = |value, token: &str| matches!(from_header(value), Some(Credential::Token(given)) if given == token);
        assert!(is("Bearer ft_1", "ft_1"));
        assert!(is("Token ft_1", "ft_1"));
        assert!(is("Token telegraf:ft_1", "ft_1"));
        assert!(is("Basic dGVsZWdyYWY6ZnRfMQ==", "ft_1"));
        let basic = from_header("Basic YW5uYTpwYXNz");
        assert!(
            matches!(basic, Some(Credential::Password { user, password }) if user == "anna" && password == "pass")
        );
        let query = from_query("db=x&u=anna&p=a%20b%2Bc");
        assert!(
            matches!(query, Some(Credential::Password { password, .. }) if password == "a b+c")
        );
    }
}
