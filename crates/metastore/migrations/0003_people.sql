-- Who may come in. Passwords as argon2id PHC strings; sessions and tokens by the SHA-256 of their secret.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant        INTEGER NOT NULL REFERENCES tenants (id),
    name          TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL,
    must_change   INTEGER NOT NULL,
    created_us    INTEGER NOT NULL
);

CREATE TABLE sessions (
    secret_hash BLOB PRIMARY KEY,
    user        INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_us  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE tokens (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant      INTEGER NOT NULL REFERENCES tenants (id),
    name        TEXT NOT NULL,
    scope       TEXT NOT NULL,
    secret_hash BLOB NOT NULL UNIQUE,
    created_us  INTEGER NOT NULL
);
