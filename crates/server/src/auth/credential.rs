//! What machines send to prove themselves, in the ways of the line-protocol clients of the world.

use axum::http::header;
use axum::http::request::Parts;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};

/// What a machine sends to prove itself.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credential {
    Token(String),
    Password { user: String, password: String },
}

pub(super) fn credential(parts: &Parts) -> Option<Credential> {
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
            let decoded = String::from_utf8(BASE64.decode(rest.trim()).ok()?).ok()?;
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
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
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

pub(super) fn digest(credential: &Credential) -> [u8; 32] {
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

/// Standard base64 (RFC 4648 §4), padding optional.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

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
