//! Who is logged in. The database holds only the SHA-256 of a session's secret.

use crate::tokens::{hash_secret, invent_secret};
use crate::{Metastore, Result, User};

/// Most sessions of one user; the one that ends first makes room.
const MAX_SESSIONS: i64 = 100;

impl Metastore {
    /// Begins a session of a user; the answer is its secret, which is kept nowhere else.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_session(&self, user: &User, now_us: i64, lives_us: i64) -> Result<String> {
        let secret = invent_secret("fs_");
        let mut db = self.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE expires_us <= ?")
            .bind(now_us)
            .execute(&mut *db)
            .await?;
        sqlx::query("INSERT INTO sessions (secret_hash, user, expires_us) VALUES (?, ?, ?)")
            .bind(hash_secret(&secret))
            .bind(user.id)
            .bind(now_us + lives_us)
            .execute(&mut *db)
            .await?;
        sqlx::query(
            "DELETE FROM sessions WHERE user = ?1 AND secret_hash NOT IN
                 (SELECT secret_hash FROM sessions WHERE user = ?1 ORDER BY expires_us DESC LIMIT ?2)",
        )
        .bind(user.id)
        .bind(MAX_SESSIONS)
        .execute(&mut *db)
        .await?;
        db.commit().await?;
        Ok(secret)
    }

    /// Whose session it is, if it has not ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_user(&self, secret: &str, now_us: i64) -> Result<Option<User>> {
        let user: Option<u32> = sqlx::query_scalar(
            "SELECT user FROM sessions WHERE secret_hash = ? AND expires_us > ?",
        )
        .bind(hash_secret(secret))
        .bind(now_us)
        .fetch_optional(&self.pool)
        .await?;
        match user {
            Some(id) => self.user_by_id(id).await,
            None => Ok(None),
        }
    }

    /// Ends a session; one that is not there has ended already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&self, secret: &str) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE secret_hash = ?")
            .bind(hash_secret(secret))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
