//! What a foreign web page could send in a person's name, and how it is refused.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::App;
use crate::error::{ApiError, Result};
use crate::extract::no_json;

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
}
