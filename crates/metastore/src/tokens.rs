//! Keys for machines. The database holds only the SHA-256 of a token, which has 256 bits of its own.

use rand::RngCore;
use sha2::{Digest, Sha256};
use signal::TenantId;

use crate::{Error, Metastore, Result, found, key, now_us};

/// Most tokens of a tenant.
const MAX_TOKENS: u64 = 10_000;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Send data in.
    Write,
    /// Read everything, change nothing.
    Read,
    /// What an engineer may.
    All,
}

impl Scope {
    /// The name used in the API and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Write => "write",
            Scope::Read => "read",
            Scope::All => "all",
        }
    }

    /// The scope of that name.
    pub fn parse(name: &str) -> Option<Scope> {
        [Scope::Write, Scope::Read, Scope::All].into_iter().find(|scope| scope.name() == name)
    }
}

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Identity.
    pub id: u32,
    /// Whose data it opens.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub created_us: i64,
}

/// A fresh token with its secret, which is shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// The token.
    pub token: Token,
    /// What a machine sends as `Authorization: Bearer …`.
    pub secret: String,
}

type TokenRow = (u32, u32, String, String, i64);

impl Metastore {
    /// All tokens of a tenant, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens(&self, tenant: TenantId) -> Result<Vec<Token>> {
        let rows: Vec<TokenRow> = sqlx::query_as(
            "SELECT id, tenant, name, scope, created_us FROM tokens WHERE tenant = ? ORDER BY id",
        )
        .bind(key(tenant))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().filter_map(token_of).collect())
    }

    /// Makes a token.
    ///
    /// # Errors
    /// When the name is empty or too long, or there are 10,000 already.
    pub async fn create_token(
        &self,
        tenant: TenantId,
        name: &str,
        scope: Scope,
    ) -> Result<NewToken> {
        let name = name.trim();
        if name.is_empty() || name.len() > 200 {
            return Err(Error::Invalid { field: "name", message: "1 to 200 bytes".to_owned() });
        }
        let secret = invent_secret("ft_");
        let created_us = now_us();
        let mut db = self.begin().await?;
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM tokens WHERE tenant = ?")
            .bind(key(tenant))
            .fetch_one(&mut *db)
            .await?;
        if n as u64 >= MAX_TOKENS {
            return Err(Error::Limit { limit: "token_limit", max: MAX_TOKENS });
        }
        let id: u32 = sqlx::query_scalar(
            "INSERT INTO tokens (tenant, name, scope, secret_hash, created_us) VALUES (?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(key(tenant))
        .bind(name)
        .bind(scope.name())
        .bind(hash_secret(&secret))
        .bind(created_us)
        .fetch_one(&mut *db)
        .await?;
        db.commit().await?;
        Ok(NewToken {
            token: Token { id, tenant, name: name.to_owned(), scope, created_us },
            secret,
        })
    }

    /// Takes a token away; from now on it opens nothing.
    ///
    /// # Errors
    /// When there is no such token.
    pub async fn delete_token(&self, tenant: TenantId, id: u32) -> Result<()> {
        let done = sqlx::query("DELETE FROM tokens WHERE tenant = ? AND id = ?")
            .bind(key(tenant))
            .bind(id)
            .execute(&self.pool)
            .await?;
        found(done.rows_affected(), "token", id)
    }

    /// The token with that secret, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verify_token(&self, secret: &str) -> Result<Option<Token>> {
        let row: Option<TokenRow> = sqlx::query_as(
            "SELECT id, tenant, name, scope, created_us FROM tokens WHERE secret_hash = ?",
        )
        .bind(hash_secret(secret))
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.and_then(token_of))
    }
}

fn token_of((id, tenant, name, scope, created_us): TokenRow) -> Option<Token> {
    // A scope that this version does not know opens nothing.
    Some(Token { id, tenant: TenantId(tenant), name, scope: Scope::parse(&scope)?, created_us })
}

/// 256 random bits behind a prefix by which people and scanners recognize what it is.
pub(crate) fn invent_secret(prefix: &str) -> String {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    let mut secret = prefix.to_owned();
    for byte in bytes {
        secret.push_str(&format!("{byte:02x}"));
    }
    secret
}

pub(crate) fn hash_secret(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}
