//! Customers whose data lies apart.

use signal::TenantId;

use crate::{Error, Metastore, Result, is_taken};

impl Metastore {
    /// Adds a tenant. The first one, `main`, is always there.
    ///
    /// # Errors
    /// When the name is empty, too long or taken.
    pub async fn create_tenant(&self, name: &str) -> Result<TenantId> {
        if name.is_empty() || name.len() > 200 {
            return Err(Error::Invalid { field: "name", message: "1 to 200 bytes".to_owned() });
        }
        let id: u32 = sqlx::query_scalar("INSERT INTO tenants (name) VALUES (?) RETURNING id")
            .bind(name)
            .fetch_one(&self.pool)
            .await
            .map_err(|error| match is_taken(&error) {
                true => Error::Conflict(format!("there already is a tenant `{name}`")),
                false => error.into(),
            })?;
        Ok(TenantId(id))
    }
}
