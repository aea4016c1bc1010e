//! What a client may rely on.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use connect::mqtt::{self, BrokerHandle, Options};
use connect::testing::{House, Store};
use connect::{Balance, Directory, Fate, InletError, LooksLike, Target, Wanted, inlet};
use signal::model::SignalKind;
use signal::{SignalId, SourceId, TenantId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::wire::{Hello, Wire};

struct Running {
    address: SocketAddr,
    handle: BrokerHandle,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("no panic");
    }
}

fn options(retained_file: Option<&Path>) -> Options {
    Options {
        allow_anonymous: true,
        not_readable: vec!["secret/#".to_owned()],
        not_stored: vec!["words/#".to_owned()],
        retained_file: retained_file.map(Path::to_owned),
        ..Options::new(SocketAddr::from(([127, 0, 0, 1], 0)), TenantId::FIRST, SourceId(1))
    }
}

async fn run(options: Options, inlet: connect::Inlet, directory: Arc<Directory>) -> Running {
    let broker = mqtt::bind(options, inlet, directory).await.expect("a free port");
    let (address, handle) = (broker.local_addr().expect("bound"), broker.handle());
    let stop = CancellationToken::new();
    let task = tokio::spawn(broker.run(stop.clone()));
    Running { address, handle, stop, task }
}

async fn start(retained_file: Option<&Path>) -> (Running, House) {
    let house = House::open(100_000, Store { keep: true, file: None });
    let running = run(options(retained_file), house.inlet.clone(), house.directory.clone()).await;
    (running, house)
}

async fn client(broker: &Running, name: &str) -> Wire {
    Wire::connect(broker.address, Hello { name, ..Hello::default() }).await.0
}

#[tokio::test]
async fn retained_messages_survive_a_restart_from_their_acknowledgement_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("retained");
    let copy = dir.path().join("copy");
    let (broker, _house) = start(Some(&file)).await;
    let mut sender = client(&broker, "sender").await;
    for n in 0..200_u16 {
        sender.publish(&format!("m/{}", n % 50), &n.to_string(), Some(n + 1), true).await;
    }
    for n in 0..200_u16 {
        assert_eq!(sender.puback().await, (n + 1, 0));
    }
    // What a kill at this moment would leave behind.
    std::fs::copy(&file, &copy).expect("copied");
    sender.publish("m/7", "", Some(300), true).await;
    assert_eq!(sender.puback().await, (300, 0));
    broker.stop().await;

    for (file, n_expected) in [(&copy, 50), (&file, 49)] {
        let (broker, _house) = start(Some(file)).await;
        let mut late = client(&broker, "late").await;
        assert_eq!(late.subscribe("m/#").await, 1);
        for _ in 0..n_expected {
            let (topic, payload, retained) = late.message().await;
            let number: u16 = payload.parse().expect("a number");
            assert_eq!((topic, retained), (format!("m/{}", number - 150), true));
        }
        broker.handle.publish("m/end", b"end", false);
        assert_eq!(late.message().await.1, "end", "and nothing more");
        broker.stop().await;
    }
}

/// The world behind the broker refuses while an earlier batch still waits for its fsync.
#[tokio::test]
async fn acknowledgements_keep_their_order_when_a_later_message_is_refused() {
    let (directory, mut wanted) = Directory::new();
    let registrar = directory.clone();
    tokio::spawn(async move {
        while let Some(Wanted::Address { source, address, answer, .. }) = wanted.recv().await {
            let target = Target { signal: SignalId(0), a: 1.0, b: 0.0, kind: SignalKind::Gauge };
            registrar.insert(source, &address, target);
            let _ = answer.send(Some(target));
        }
    });
    let _ = directory.resolve(SourceId(1), "t", LooksLike::Number).await;
    let (inlet, mut queue) = inlet(1000, Arc::new(Balance::default()));
    let broker = run(options(None), inlet, directory).await;
    let hello = Hello { name: "sender", v5: true, ..Hello::default() };
    let (mut sender, _) = Wire::connect(broker.address, hello).await;

    sender.publish("t", "1", Some(1), false).await;
    let (first, queue) = tokio::task::spawn_blocking(move || {
        let mut taken = Vec::new();
        while taken.is_empty() {
            queue.wait(&mut taken, 1000, Duration::from_millis(50));
        }
        (taken, queue)
    })
    .await
    .expect("no panic");
    drop(queue);
    sender.publish("t", "2", Some(2), false).await;
    // A packet that is answered at once tells that the second message has been read.
    sender.send(0xC0, &[]).await;
    assert_eq!(sender.receive().await.expect("a PINGRESP").0, 0xD0);
    for delivery in first {
        delivery.answer(Ok(Fate { stored: 1, duplicates: 0 }));
    }
    assert_eq!(sender.puback().await, (1, 0));
    assert_eq!(sender.puback().await, (2, 0x97), "quota exceeded");
}

#[tokio::test]
async fn a_refusal_closes_the_connection_of_a_client_that_cannot_be_told() {
    let (broker, house) = start(None).await;
    let mut sender = client(&broker, "sender").await;
    sender.publish("t", "1", Some(1), false).await;
    assert_eq!(sender.puback().await, (1, 0));
    house.refuse(Some(InletError::ReadOnly { reason: "disk full".to_owned(), retry_after_s: 1 }));
    sender.publish("t", "2", Some(2), false).await;
    assert!(sender.receive().await.is_none());
    house.refuse(None);
    let mut sender = client(&broker, "sender").await;
    sender.publish("t", "2", Some(2), false).await;
    assert_eq!(sender.puback().await, (2, 0));
    assert_eq!(house.samples().iter().map(|sample| sample.1).collect::<Vec<_>>(), [1.0, 2.0]);
}

#[tokio::test]
async fn what_may_not_be_read_is_stored_and_shown_to_nobody() {
    let (broker, house) = start(None).await;
    let mut listener = client(&broker, "listener").await;
    assert_eq!(listener.subscribe("secret/x").await, 0x80);
    assert_eq!(listener.subscribe("#").await, 1);
    let mut sender = client(&broker, "sender").await;
    sender.publish("secret/x", "1", Some(1), true).await;
    sender.publish("open", "2", Some(2), false).await;
    assert_eq!((sender.puback().await, sender.puback().await), ((1, 0), (2, 0)));
    assert_eq!(listener.message().await.1, "2");
    assert_eq!(house.n_rows(), 2);
}

#[tokio::test]
async fn a_second_connect_is_an_error() {
    let (broker, _house) = start(None).await;
    let mut client = client(&broker, "twice").await;
    client.send(0x10, &[0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, 1, b'x']).await;
    assert!(client.receive().await.is_none());
}

#[tokio::test]
async fn a_delayed_will_comes_late_and_an_undelayed_one_at_once() {
    let (broker, _house) = start(None).await;
    let mut listener = client(&broker, "listener").await;
    listener.subscribe("words/#").await;
    for (name, delay_s) in [("late", 1), ("soon", 0)] {
        let topic = format!("words/{name}");
        let will = Some((topic.as_str(), "gone", delay_s));
        let hello = Hello { name, v5: true, keep_s: 100, will };
        drop(Wire::connect(broker.address, hello).await);
    }
    assert_eq!(listener.message().await.0, "words/soon");
    assert_eq!(listener.message().await.0, "words/late");
}

#[tokio::test]
async fn the_broker_speaks_of_itself_and_nobody_speaks_for_it() {
    let (broker, _house) = start(None).await;
    let mut client = client(&broker, "monitor").await;
    client.publish("$SYS/broker/version", "forged", Some(1), true).await;
    assert_eq!(client.puback().await, (1, 0));
    client.subscribe("$SYS/broker/version").await;
    let (_, version, _) = client.message().await;
    assert!(version.starts_with("fettler "), "{version}");
}

#[tokio::test]
async fn a_shared_subscription_divides_the_work() {
    let (broker, _house) = start(None).await;
    let (mut a, mut b) = (client(&broker, "a").await, client(&broker, "b").await);
    assert_eq!((a.subscribe("$share/w/t").await, b.subscribe("$share/w/t").await), (1, 1));
    let mut sender = client(&broker, "sender").await;
    for n in 0..10_u16 {
        sender.publish("t", &n.to_string(), Some(n + 1), false).await;
    }
    let mut numbers = Vec::new();
    for _ in 0..5 {
        numbers.extend([a.message().await.1, b.message().await.1]);
    }
    numbers.sort();
    assert_eq!(numbers, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
}
