//! SKAB (Katser & Kozitsin (2020)): 34 experiments through broker, cleaning and detectors, judged by recorded alarms.
//!
//! Each file is a machine of its own; its detector learns from the first 400 rows and is then frozen. A row is
//! called anomalous while an `anomaly` alarm of its machine is active. No label is read before the verdict.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::{Map, Value};
use signal::model::MappingRule;
use signal::{AssetId, EventKind, TenantId, TimeRange};

use crate::config::Config;
use crate::serve::{self, print};

const TRAINING_ROWS: usize = 400;
const ALL: TimeRange = TimeRange { start_us: 0, end_us: i64::MAX / 2 };

struct Experiment {
    name: String,
    times_us: Vec<i64>,
    labels: Vec<bool>,
    payload: String,
}

pub(crate) async fn run(data: Option<PathBuf>, days_per_false_alarm: f64) -> anyhow::Result<()> {
    let folder = match data {
        Some(folder) => folder,
        None => match std::env::var_os("FETTLER_DATA") {
            Some(root) => PathBuf::from(root).join("skab/data"),
            None => bail!("name the folder with --data or set FETTLER_DATA"),
        },
    };
    let experiments = read_all(&folder)?;
    let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
    let running = serve::start(&config(dir.path(), days_per_false_alarm)).await?;
    map_topics(&running).await?;
    publish(&running, &experiments).await?;
    // The last rows of each file wait until their signals count as silent.
    tokio::time::sleep(Duration::from_secs(5)).await;

    let (mut verdicts, mut labels) = (Vec::new(), Vec::new());
    for experiment in &experiments {
        let asset = asset_of(&running, &experiment.name)?;
        let active = alarm_spans(&running, asset).await?;
        for (time_us, label) in experiment.times_us.iter().zip(&experiment.labels) {
            verdicts.push(active.iter().any(|span| span.contains(*time_us)));
            labels.push(*label);
        }
    }
    running.stop().await;
    print(&format!(
        "SKAB, {} files, {} rows; first {TRAINING_ROWS} rows of each for training\n",
        experiments.len(),
        labels.len()
    ));
    print("                                     F1    FAR %   MAR %\n");
    let row = |name: &str, verdicts: &[bool]| {
        let (f1, far, mar) = scores(&labels, verdicts);
        print(&format!("{name:<34} {f1:.3}  {:>6.1}  {:>6.1}\n", far * 100.0, mar * 100.0));
    };
    row(&format!("Fettler, 1 false alarm in {days_per_false_alarm} d"), &verdicts);
    row("trivial: always", &vec![true; labels.len()]);
    let mut second_half = Vec::new();
    for experiment in &experiments {
        let n_rows = experiment.labels.len();
        second_half.extend((0..n_rows).map(|n| n >= n_rows / 2));
    }
    row("trivial: second half", &second_half);
    print(
        "published: Conv-AE                 0.78     13.6    28.0\npublished: T2+Q                    0.76\n",
    );
    print("published: T2                      0.66\npublished: isolation forest        0.29\n");
    Ok(())
}

fn config(dir: &Path, days_per_false_alarm: f64) -> Config {
    let mut config = Config { data_dir: dir.join("data"), ..Config::default() };
    config.web.listen = ([127, 0, 0, 1], 0).into();
    config.mqtt.listen = ([127, 0, 0, 1], 0).into();
    config.detection.learn_rows = TRAINING_ROWS;
    config.detection.refit = false;
    config.detection.days_per_false_alarm = days_per_false_alarm;
    // Recorded years ago and judged as if it happened now.
    config.alarms.history_after_s = u64::from(u32::MAX);
    config
}

fn read_all(folder: &Path) -> anyhow::Result<Vec<Experiment>> {
    let mut experiments = Vec::new();
    let groups =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for group in groups {
        let group = group?;
        let name = group.file_name().to_string_lossy().into_owned();
        if name == "anomaly-free" || !group.file_type()?.is_dir() {
            continue;
        }
        for entry in
            std::fs::read_dir(group.path()).with_context(|| format!("cannot read {name}"))?
        {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "csv") {
                experiments.push(read(&name, &path)?);
            }
        }
    }
    if experiments.is_empty() {
        bail!("{} holds no experiments", folder.display());
    }
    experiments.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(experiments)
}

fn read(group: &str, path: &Path) -> anyhow::Result<Experiment> {
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_path(path)?;
    let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let (mut times_us, mut labels, mut columns) =
        (Vec::new(), Vec::new(), vec![Vec::new(); header.len()]);
    for record in reader.records() {
        let record = record.with_context(|| format!("cannot read {}", path.display()))?;
        let time_us = connect::parse_time(&record[0])
            .with_context(|| format!("{}: no time in {record:?}", path.display()))?;
        times_us.push(time_us);
        for (idx, text) in record.iter().enumerate().skip(1) {
            let value: f64 =
                text.parse().with_context(|| format!("{}: {text} is no number", path.display()))?;
            if header[idx] == "anomaly" {
                labels.push(value > 0.5);
            }
            columns[idx].push(Value::from(value));
        }
    }
    let mut block = Map::new();
    block.insert(
        "t".to_owned(),
        times_us.iter().map(|time_us| Value::from(time_us / 1000)).collect(),
    );
    for (name, column) in header.iter().zip(columns).skip(1) {
        if name != "anomaly" && name != "changepoint" {
            block.insert(name.clone(), Value::Array(column));
        }
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let payload = Value::Object(block).to_string();
    Ok(Experiment { name: format!("skab/{group}/{stem}"), times_us, labels, payload })
}

async fn map_topics(running: &serve::Running) -> anyhow::Result<()> {
    let rule = MappingRule {
        id: 0,
        source: "mqtt".to_owned(),
        pattern: "{site}/{group}/{file}/{signal...}".to_owned(),
        asset: "{site}/{group}/{file}".to_owned(),
        signal: "{signal}".to_owned(),
        asset_types: Vec::new(),
        payload: None,
    };
    running.metastore.create_mapping_rule(TenantId::FIRST, &rule).await?;
    Ok(running.house.ingest.reload_model().await?)
}

async fn publish(running: &serve::Running, experiments: &[Experiment]) -> anyhow::Result<()> {
    let mut options = MqttOptions::new("skab", running.mqtt.ip().to_string(), running.mqtt.port());
    options.set_max_packet_size(8 << 20, 8 << 20);
    let (client, mut events) = AsyncClient::new(options, 10);
    for experiment in experiments {
        client
            .publish(&experiment.name, QoS::AtLeastOnce, false, experiment.payload.clone())
            .await?;
        while !matches!(events.poll().await?, Event::Incoming(Packet::PubAck(_))) {}
    }
    Ok(())
}

fn asset_of(running: &serve::Running, path: &str) -> anyhow::Result<AssetId> {
    let model = running.house.ingest.model();
    let asset = model.assets.values().find(|asset| asset.path == path);
    asset.map(|asset| asset.id).with_context(|| format!("{path} has not arrived"))
}

/// When the machine's anomaly alarm was active, from the record in the lake.
async fn alarm_spans(running: &serve::Running, asset: AssetId) -> anyhow::Result<Vec<TimeRange>> {
    let filter = lake::EventFilter {
        asset: Some(asset),
        signal: None,
        kind: Some(EventKind::Alarm),
        range: ALL,
        limit: 100_000,
    };
    let mut events = running.house.lake.events(TenantId::FIRST, filter).await?;
    events.sort_by_key(|event| event.time_us);
    let mut spans: Vec<TimeRange> = Vec::new();
    let mut since_us = None;
    for event in events {
        let record = ingest::Record::parse(&event.body).context("an alarm event cannot be read")?;
        if record.alarm.rule != "anomaly" {
            continue;
        }
        match (record.alarm.is_active(), since_us) {
            (true, None) => since_us = Some(event.time_us),
            (false, Some(start_us)) => {
                spans.push(TimeRange { start_us, end_us: event.time_us });
                since_us = None;
            }
            _ => {}
        }
    }
    spans.extend(since_us.map(|start_us| TimeRange { start_us, end_us: i64::MAX }));
    Ok(spans)
}

/// F1, false-alarm rate and missed-alarm rate, by rows.
fn scores(labels: &[bool], verdicts: &[bool]) -> (f64, f64, f64) {
    let count = |label: bool, verdict: bool| {
        labels.iter().zip(verdicts).filter(|(l, v)| **l == label && **v == verdict).count() as f64
    };
    let (tp, fp, missed, tn) =
        (count(true, true), count(false, true), count(true, false), count(false, false));
    (
        2.0 * tp / (2.0 * tp + fp + missed).max(1.0),
        fp / (fp + tn).max(1.0),
        missed / (tp + missed).max(1.0),
    )
}
