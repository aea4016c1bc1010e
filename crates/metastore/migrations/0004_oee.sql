-- When a tenant's plant works and what its machines' states mean for OEE; without a row the defaults hold.
CREATE TABLE oee_settings (
    tenant INTEGER PRIMARY KEY REFERENCES tenants (id),
    body   TEXT NOT NULL
);
