//! Who is calling, and what they may do.
//!
//! Browsers hold a session cookie; machines send a token as `Bearer` or `Token`, as the user or password of
//! basic authentication, or as `u` and `p`, because that is what the line-protocol clients of the world do.
//! A handler names the right it needs by the extractor it takes: [`Reader`], [`Operator`], [`Engineer`],
//! [`Admin`], [`Writer`].

mod believed;
mod credential;
mod guard;
mod tries;

use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use metastore::{Role, Scope};
use signal::TenantId;

use crate::App;
use crate::door::Peer;
use crate::error::{ApiError, Result};

pub(crate) use believed::Believed;
use credential::{Credential, credential, digest};
pub(crate) use guard::guard;
use tries::MAX_TRIES;
pub(crate) use tries::Tries;

/// The cookie that holds a session.
pub(crate) const COOKIE: &str = "fettler_session";
/// How long a session lives.
pub(crate) const SESSION_US: i64 = 14 * signal::DAY_US;

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
