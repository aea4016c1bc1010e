//! People and their passwords (argon2id, RFC 9106).

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use rand::Rng;
use signal::TenantId;

use crate::{Error, Metastore, Result, found, is_taken, key, now_us};

/// Shortest password.
const MIN_PASSWORD: usize = 8;
/// Longest password; more would only burn time in the hash.
const MAX_PASSWORD: usize = 256;

/// What a person may do. Each may do what the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks and handles alarms.
    Operator,
    /// Changes model, rules and detection.
    Engineer,
    /// Manages people and tokens.
    Admin,
}

impl Role {
    /// The name used in the API and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Role::Operator => "operator",
            Role::Engineer => "engineer",
            Role::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Role> {
        [Role::Operator, Role::Engineer, Role::Admin].into_iter().find(|role| role.name() == name)
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Identity.
    pub id: u32,
    /// Whose data they see.
    pub tenant: TenantId,
    /// The name they log in with; unique over all tenants.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether the password was given to them and is to be replaced.
    pub must_change_password: bool,
    /// When they were added.
    pub created_us: i64,
}

/// A person whom somebody wants to add.
#[derive(Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The name they will log in with.
    pub name: String,
    /// Their first password.
    pub password: String,
    /// What they may do.
    pub role: Role,
    /// Whether the password is to be replaced at the first login.
    pub must_change_password: bool,
}

type UserRow = (u32, u32, String, String, bool, i64);

const COLUMNS: &str = "id, tenant, name, role, must_change, created_us";

impl Metastore {
    /// Makes the first user, `admin`, if there is none at all, and gives the password that it invented.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_run(&self) -> Result<Option<String>> {
        let n_users: i64 =
            sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&self.pool).await?;
        if n_users > 0 {
            return Ok(None);
        }
        let password = invent_password();
        let admin = NewUser {
            name: "admin".to_owned(),
            password: password.clone(),
            role: Role::Admin,
            must_change_password: true,
        };
        self.create_user(TenantId::FIRST, &admin).await?;
        Ok(Some(password))
    }

    /// All users of a tenant, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self, tenant: TenantId) -> Result<Vec<User>> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE tenant = ? ORDER BY id");
        let rows: Vec<UserRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(key(tenant))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(user_of).collect())
    }

    /// Adds a user.
    ///
    /// # Errors
    /// When name or password cannot be used, or the name is taken.
    pub async fn create_user(&self, tenant: TenantId, new: &NewUser) -> Result<User> {
        check_name(&new.name)?;
        let hash = hash(new.password.clone()).await?;
        let created_us = now_us();
        let id: u32 = sqlx::query_scalar(
            "INSERT INTO users (tenant, name, password_hash, role, must_change, created_us)
             VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(key(tenant))
        .bind(&new.name)
        .bind(hash)
        .bind(new.role.name())
        .bind(new.must_change_password)
        .bind(created_us)
        .fetch_one(&self.pool)
        .await
        .map_err(|error| match is_taken(&error) {
            true => Error::Conflict(format!("there already is a user `{}`", new.name)),
            false => error.into(),
        })?;
        Ok(User {
            id,
            tenant,
            name: new.name.clone(),
            role: new.role,
            must_change_password: new.must_change_password,
            created_us,
        })
    }

    /// Takes a user and all their sessions away. The last admin stays.
    ///
    /// # Errors
    /// When there is no such user, or it is the last admin.
    pub async fn delete_user(&self, tenant: TenantId, id: u32) -> Result<()> {
        let mut db = self.begin().await?;
        let others: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM users WHERE tenant = ? AND role = 'admin' AND id <> ?",
        )
        .bind(key(tenant))
        .bind(id)
        .fetch_one(&mut *db)
        .await?;
        if others == 0 {
            return Err(Error::Conflict("the last admin cannot be removed".to_owned()));
        }
        let done = sqlx::query("DELETE FROM users WHERE tenant = ? AND id = ?")
            .bind(key(tenant))
            .bind(id)
            .execute(&mut *db)
            .await?;
        found(done.rows_affected(), "user", id)?;
        Ok(db.commit().await?)
    }

    /// The user of that name, if the password is theirs. Takes equally long when there is no such user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verify_password(&self, name: &str, password: &str) -> Result<Option<User>> {
        let hash: Option<String> =
            sqlx::query_scalar("SELECT password_hash FROM users WHERE name = ?")
                .bind(name)
                .fetch_optional(&self.pool)
                .await?;
        let is_known = hash.is_some();
        if !verify(password.to_owned(), hash).await || !is_known {
            return Ok(None);
        }
        let sql = format!("SELECT {COLUMNS} FROM users WHERE name = ?");
        let row: Option<UserRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(name).fetch_optional(&self.pool).await?;
        Ok(row.map(user_of))
    }

    /// Gives a user a new password and ends all their sessions.
    ///
    /// # Errors
    /// When there is no such user or the password is too short or too long.
    pub async fn set_password(&self, tenant: TenantId, id: u32, password: &str) -> Result<()> {
        let hash = hash(password.to_owned()).await?;
        let mut db = self.begin().await?;
        let done = sqlx::query(
            "UPDATE users SET password_hash = ?, must_change = 0 WHERE tenant = ? AND id = ?",
        )
        .bind(hash)
        .bind(key(tenant))
        .bind(id)
        .execute(&mut *db)
        .await?;
        found(done.rows_affected(), "user", id)?;
        sqlx::query("DELETE FROM sessions WHERE user = ?").bind(id).execute(&mut *db).await?;
        Ok(db.commit().await?)
    }

    pub(crate) async fn user_by_id(&self, id: u32) -> Result<Option<User>> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE id = ?");
        let row: Option<UserRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&self.pool).await?;
        Ok(row.map(user_of))
    }
}

fn user_of((id, tenant, name, role, must_change_password, created_us): UserRow) -> User {
    // A role that this version does not know may do the least.
    let role = Role::parse(&role).unwrap_or(Role::Operator);
    User { id, tenant: TenantId(tenant), name, role, must_change_password, created_us }
}

fn check_name(name: &str) -> Result<()> {
    let fits = (1..=100).contains(&name.len())
        && name.chars().all(|c| c.is_alphanumeric() || "._-@".contains(c));
    if fits {
        return Ok(());
    }
    let message = "1 to 100 letters, digits, `.`, `_`, `-` or `@`".to_owned();
    Err(Error::Invalid { field: "name", message })
}

/// Hashing takes tens of milliseconds of pure computing, so it runs on the blocking threads.
async fn hash(password: String) -> Result<String> {
    if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&password.len()) {
        let message = format!("a password has {MIN_PASSWORD} to {MAX_PASSWORD} bytes");
        return Err(Error::Invalid { field: "password", message });
    }
    let work = move || {
        let salt = SaltString::generate(&mut OsRng);
        Argon2::default().hash_password(password.as_bytes(), &salt).map(|hash| hash.to_string())
    };
    let hash = tokio::task::spawn_blocking(work).await.expect("hashing does not panic");
    Ok(hash.expect("the default parameters and a fresh salt are valid"))
}

async fn verify(password: String, hash: Option<String>) -> bool {
    if password.len() > MAX_PASSWORD {
        return false;
    }
    let work = move || {
        // Without a user a hash is computed all the same, so that the time does not tell which names exist.
        let Some(hash) = hash else {
            let salt = SaltString::generate(&mut OsRng);
            let _ = Argon2::default().hash_password(password.as_bytes(), &salt);
            return false;
        };
        let Ok(parsed) = PasswordHash::new(&hash) else { return false };
        Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok()
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(false)
}

/// 16 characters that cannot be mistaken for each other: 80 bits.
fn invent_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    let mut password = String::new();
    for n in 0..16 {
        if n > 0 && n % 4 == 0 {
            password.push('-');
        }
        password.push(char::from(LETTERS[random.random_range(0..LETTERS.len())]));
    }
    password
}
