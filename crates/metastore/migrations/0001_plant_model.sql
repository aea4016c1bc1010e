-- The plant: tenants, the doors data comes in through, assets, signals, and which address feeds which signal.
-- Identities come from AUTOINCREMENT so that a number is never used twice.
CREATE TABLE tenants (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
);
INSERT INTO tenants (id, name) VALUES (1, 'main');

CREATE TABLE sources (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant   INTEGER NOT NULL REFERENCES tenants (id),
    name     TEXT NOT NULL,
    protocol TEXT NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE assets (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant     INTEGER NOT NULL REFERENCES tenants (id),
    parent     INTEGER REFERENCES assets (id),
    name       TEXT NOT NULL,
    path       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    asset_type TEXT,
    UNIQUE (tenant, path)
);

-- `path` is `<asset path>:<name>`, or the name alone while unbound. `spec` is signal::model::SignalSpec as JSON.
CREATE TABLE signals (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant     INTEGER NOT NULL REFERENCES tenants (id),
    asset      INTEGER REFERENCES assets (id),
    name       TEXT NOT NULL,
    path       TEXT NOT NULL,
    spec       TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    UNIQUE (tenant, path)
);
CREATE INDEX signals_by_asset ON signals (tenant, asset);

CREATE TABLE bindings (
    tenant  INTEGER NOT NULL REFERENCES tenants (id),
    source  INTEGER NOT NULL REFERENCES sources (id),
    address TEXT NOT NULL,
    signal  INTEGER NOT NULL REFERENCES signals (id),
    a       REAL NOT NULL DEFAULT 1.0,
    b       REAL NOT NULL DEFAULT 0.0,
    PRIMARY KEY (tenant, source, address)
) WITHOUT ROWID;
CREATE INDEX bindings_by_signal ON bindings (tenant, signal);

-- `body` is signal::model::MappingRule as JSON; its own `id` is ignored.
CREATE TABLE mapping_rules (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    body   TEXT NOT NULL
);
