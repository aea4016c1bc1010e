-- What rings, what it looks at, whom it calls, and the newest picture of each alarm and detector.
CREATE TABLE limit_rules (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant  INTEGER NOT NULL REFERENCES tenants (id),
    signal  INTEGER NOT NULL REFERENCES signals (id),
    rule    TEXT NOT NULL,
    enabled INTEGER NOT NULL
);

-- asset 0 holds the setting of all assets that have none of their own.
CREATE TABLE detection_settings (
    tenant               INTEGER NOT NULL REFERENCES tenants (id),
    asset                INTEGER NOT NULL,
    enabled              INTEGER NOT NULL,
    days_per_false_alarm REAL NOT NULL,
    PRIMARY KEY (tenant, asset)
) WITHOUT ROWID;

CREATE TABLE monitors (
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    asset  INTEGER NOT NULL REFERENCES assets (id),
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, asset)
);

CREATE TABLE alarms (
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    id     INTEGER NOT NULL,
    asset  INTEGER NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE notifications (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant       INTEGER NOT NULL REFERENCES tenants (id),
    kind         TEXT NOT NULL,
    target       TEXT NOT NULL,
    min_priority INTEGER NOT NULL
);
