//! The plant speaks to the real broker: nothing is missing, doubled or out of order between history and live.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connect::mqtt::{self, Options};
use connect::{Balance, Directory, Fate, InletQueue, LooksLike, Target, Wanted, inlet};
use plant::{Fault, FaultPlan, MACHINES, Progress};
use signal::model::SignalKind;
use signal::{MINUTE_US, Sample, SignalId, SourceId, TenantId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const PERIOD_US: i64 = 100_000;
const STATES: [&str; 4] = ["stopped", "idle", "running", "fault"];

/// A broker whose rows end in memory.
struct House {
    broker: SocketAddr,
    names: Arc<Mutex<Vec<String>>>,
    samples: Arc<Mutex<Vec<Sample>>>,
    n_stored: watch::Receiver<usize>,
    stop: CancellationToken,
}

impl House {
    async fn start() -> House {
        let (directory, wanted) = Directory::new();
        let (inlet, queue) = inlet(1_000_000, Arc::new(Balance::default()));
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let options =
            Options { allow_anonymous: true, ..Options::new(listen, TenantId::FIRST, SourceId(1)) };
        let names = Arc::new(Mutex::new(Vec::new()));
        let samples = Arc::new(Mutex::new(Vec::new()));
        let (stored, n_stored) = watch::channel(0);
        tokio::spawn(register(directory.clone(), wanted, names.clone()));
        let kept = samples.clone();
        std::thread::spawn(move || store(queue, &kept, &stored));
        let broker = mqtt::bind(options, inlet, directory).await.expect("a free port");
        let (address, stop) = (broker.local_addr().expect("bound"), CancellationToken::new());
        tokio::spawn(broker.run(stop.clone()));
        House { broker: address, names, samples, n_stored, stop }
    }

    /// Waits until every sensor has come `n_times` after the first `n_before` samples.
    async fn wait_until_each_has_come(&mut self, n_before: usize, n_times: usize) {
        while !self.has_each_come(n_before, n_times) {
            self.n_stored.changed().await.expect("the broker runs");
        }
    }

    fn has_each_come(&self, n_before: usize, n_times: usize) -> bool {
        let names = self.names.lock().expect("no panic");
        let mut n_come = vec![0; names.len()];
        for sample in &self.samples.lock().expect("no panic")[n_before..] {
            n_come[sample.signal.0 as usize] += 1;
        }
        // States and counters come when they change.
        let is_sensor = |name: &String| !name.ends_with("/state") && !name.contains("/counters/");
        n_come.iter().zip(&*names).all(|(n, name)| *n >= n_times || !is_sensor(name))
    }

    /// Samples by address, in the order of arrival.
    fn by_address(&self) -> HashMap<String, Vec<Sample>> {
        let names = self.names.lock().expect("no panic");
        let mut found: HashMap<String, Vec<Sample>> = HashMap::new();
        for sample in self.samples.lock().expect("no panic").iter() {
            found.entry(names[sample.signal.0 as usize].clone()).or_default().push(*sample);
        }
        found
    }
}

async fn register(
    directory: Arc<Directory>,
    mut wanted: mpsc::Receiver<Wanted>,
    names: Arc<Mutex<Vec<String>>>,
) {
    while let Some(question) = wanted.recv().await {
        match question {
            Wanted::Address { source, address, looks, answer } => {
                let kind =
                    if looks == LooksLike::Text { SignalKind::State } else { SignalKind::Gauge };
                let signal = SignalId(names.lock().expect("no panic").len() as u32);
                let target = Target { signal, a: 1.0, b: 0.0, kind };
                names.lock().expect("no panic").push(address.clone());
                directory.insert(source, &address, target);
                directory.set_states(signal, STATES.map(str::to_owned).to_vec());
                let _ = answer.send(Some(target));
            }
            Wanted::State { text, answer, .. } => {
                let code = STATES.iter().position(|state| *state == text);
                let _ = answer.send(code.map(|code| code as f64));
            }
        }
    }
}

fn store(mut queue: InletQueue, samples: &Mutex<Vec<Sample>>, stored: &watch::Sender<usize>) {
    let mut taken = Vec::new();
    while queue.wait(&mut taken, 100_000, Duration::from_secs(1)) {
        for delivery in taken.drain(..) {
            let mut samples = samples.lock().expect("no panic");
            samples.extend(delivery.rows.samples.iter());
            let fate = Fate { stored: delivery.rows.samples.len() as u64, duplicates: 0 };
            stored.send_replace(samples.len());
            delivery.answer(Ok(fate));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_and_live_values_follow_each_other_without_a_gap() {
    let mut house = House::start().await;
    let options = plant::Options {
        broker: house.broker,
        site: "hamburg".to_owned(),
        seed: 5,
        history_days: 2,
        history_step_s: 60,
        live_period_ms: (PERIOD_US / 1000) as u32,
        faults: vec![FaultPlan {
            machine: 4,
            fault: Fault::BearingWear,
            starts_after_s: 0.0,
            full_after_s: 0.5,
        }],
    };
    let (told, mut progress) = watch::channel(None);
    let plant = tokio::spawn(plant::run(options, house.stop.clone(), move |now| {
        told.send_if_modified(|last| {
            let is_end = matches!(now, Progress::History { sent, total } if sent == total);
            if is_end {
                *last = Some(now);
            }
            is_end
        });
    }));
    progress.wait_for(Option::is_some).await.expect("the plant runs");
    let Some(Progress::History { sent, .. }) = *progress.borrow() else {
        panic!("only the end is told")
    };
    let n_history = house.samples.lock().expect("no panic").len();
    assert!(n_history as u64 >= sent && sent > 2 * 1440 * 90, "{n_history} stored, {sent} sent");

    // A busy machine skips ticks and sensors drop out, so what counts is that each signal has come often enough.
    house.wait_until_each_has_come(n_history, 12).await;
    house.stop.cancel();
    plant.await.expect("no panic").expect("the broker was there");
    check(&house.by_address());
}

fn check(found: &HashMap<String, Vec<Sample>>) {
    for place in &MACHINES {
        let topic = |name: &str| format!("hamburg/{}/{}/{name}", place.line, place.machine);
        for name in place.kind.signals() {
            let samples = &found[&topic(name)];
            let (mut last_us, mut n_missing) = (i64::MIN, 0);
            for sample in samples {
                assert!(sample.time_us > last_us, "{name} goes back in time");
                let gap_us = sample.time_us.saturating_sub(last_us);
                n_missing += usize::from(last_us != i64::MIN && gap_us > MINUTE_US);
                last_us = sample.time_us;
            }
            // A dropout now and then, but no hole between history and live.
            assert!(n_missing < 20, "{} {name}: {n_missing} gaps", place.machine);
            // History comes once a minute at most.
            let live = samples
                .windows(2)
                .filter(|pair| pair[1].time_us - pair[0].time_us < MINUTE_US / 2)
                .count();
            assert!(live > 5, "{} {name}: {live} live values", place.machine);
        }
        let states = &found[&topic("state")];
        assert!(
            states.len() > 2 * 1440
                && states.iter().all(|sample| (0.0..4.0).contains(&sample.value))
        );
        let counters = ["counters/good", "counters/rejects"].map(|name| found.get(&topic(name)));
        for counter in counters.into_iter().flatten() {
            assert!(counter.is_sorted_by(|a, b| a.value <= b.value && a.time_us < b.time_us));
        }
        assert_eq!(counters[0].is_some(), place.kind.makes_parts());
    }
    // The machine that breaks was running from before, and its fault shows.
    let worn = &found["hamburg/line2/spindle02/spindle/vibration_bpfo"];
    let last_us = worn.last().expect("there are values").time_us;
    let before = worn
        .iter()
        .filter(|sample| (10 * MINUTE_US..90 * MINUTE_US).contains(&(last_us - sample.time_us)));
    let now = worn.iter().rev().take(5);
    // One odd value, as sensors have them, must not decide.
    let (before, now) = (median(before), median(now));
    assert!(before < 0.5 && now > 1.0, "{before} {now}");
}

fn median<'a>(samples: impl Iterator<Item = &'a Sample>) -> f64 {
    let mut values: Vec<f64> = samples.map(|sample| sample.value).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::test]
async fn stopping_ends_the_plant_also_without_a_broker() {
    // Nobody listens on a port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let broker = listener.local_addr().expect("bound");
    drop(listener);
    let options = plant::Options {
        broker,
        site: "x".to_owned(),
        seed: 1,
        history_days: 1,
        history_step_s: 60,
        live_period_ms: 1000,
        faults: Vec::new(),
    };
    let stop = CancellationToken::new();
    let plant = tokio::spawn(plant::run(options, stop.clone(), |_| ()));
    stop.cancel();
    plant.await.expect("no panic").expect("stopping is no failure");
}
