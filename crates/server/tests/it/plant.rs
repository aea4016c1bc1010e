//! A whole Fettler behind a server on a free port.

use std::net::SocketAddr;
use std::sync::Arc;

use metastore::{Metastore, NewUser, Role, Scope};
use server::{AppState, Options};
use signal::TenantId;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running server; everything is gone when it is dropped.
pub(crate) struct Plant {
    pub(crate) address: SocketAddr,
    pub(crate) metastore: Metastore,
    pub(crate) ingest: ingest::Handle,
    pub(crate) client: reqwest::Client,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
    _dir: tempfile::TempDir,
}

impl Plant {
    pub(crate) async fn start() -> Plant {
        Plant::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Plant {
        let dir = tempfile::tempdir().expect("a directory");
        let metastore =
            Metastore::open(&dir.path().join("meta.sqlite")).await.expect("a metastore");
        people(&metastore).await;
        let log_options =
            wal::Options { keep_free_bytes: 0, keep_free_percent: 0, ..wal::Options::default() };
        let (log, _) = wal::Log::open(&dir.path().join("log"), log_options).expect("a log");
        let buffer = Arc::new(wal::Buffer::default());
        let lake =
            lake::Lake::open(&dir.path().join("lake"), buffer.clone(), lake::Options::default());
        let start = ingest::Start {
            log,
            buffer: buffer.clone(),
            replay: Vec::new(),
            last_values: Vec::new(),
            max_waiting_rows: 1_000_000,
        };
        let ingest = ingest::start(start, metastore.clone(), ingest::Options::default())
            .await
            .expect("ingest starts");
        let state = AppState {
            ingest: ingest.clone(),
            lake: Arc::new(lake.expect("a lake")),
            buffer,
            metastore: metastore.clone(),
            clients: Arc::new(|_| None),
            test_notification: Arc::new(|wanted| {
                Box::pin(async move {
                    if wanted.target.contains("broken") {
                        Err("nobody answers".to_owned())
                    } else {
                        Ok(())
                    }
                })
            }),
        };
        let mut options =
            Options { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Options::default() };
        change(&mut options);
        let server = server::bind(options, state).await.expect("a free port");
        let address = server.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.run(stop.clone()));
        let client = reqwest::Client::builder().build().expect("a client");
        Plant { address, metastore, ingest, client, stop, serving, _dir: dir }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A session of one of the people.
    pub(crate) async fn cookie(&self, name: &str) -> String {
        let users = self.metastore.users(TenantId::FIRST).await.expect("users");
        let mut known = users.into_iter().find(|user| user.name == name);
        if known.is_none() {
            known = self
                .metastore
                .users(TenantId(2))
                .await
                .expect("users")
                .into_iter()
                .find(|user| user.name == name);
        }
        let now_us = self.now_us();
        let user = known.unwrap_or_else(|| panic!("nobody is called {name}"));
        let secret =
            self.metastore.create_session(&user, now_us, signal::HOUR_US).await.expect("a session");
        format!("fettler_session={secret}")
    }

    /// A token of that scope.
    pub(crate) async fn token(&self, scope: Scope) -> String {
        let token =
            self.metastore.create_token(TenantId::FIRST, "test", scope).await.expect("a token");
        token.secret
    }

    pub(crate) fn now_us(&self) -> i64 {
        let since =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        since.as_micros() as i64
    }

    /// Writes lines and expects that all are stored.
    pub(crate) async fn write(&self, lines: String) {
        let answer = self
            .client
            .post(self.url("/api/v2/write"))
            .body(lines)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap_or_default());
    }

    /// Stops the server and waits until it has ended.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.serving.await.expect("the server did not panic").expect("the server ended well");
        self.ingest.stop().await;
    }
}

async fn people(metastore: &Metastore) {
    let other = metastore.create_tenant("other").await.expect("a tenant");
    for (tenant, name, role) in [
        (TenantId::FIRST, "admin", Role::Admin),
        (TenantId::FIRST, "engineer", Role::Engineer),
        (TenantId::FIRST, "operator", Role::Operator),
        (other, "stranger", Role::Admin),
    ] {
        let password = format!("{name}-password");
        let new = NewUser { name: name.to_owned(), password, role, must_change_password: false };
        metastore.create_user(tenant, &new).await.expect("a user");
    }
}
