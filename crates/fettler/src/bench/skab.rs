//! SKAB (Katser & Kozitsin (2020)): 34 experiments through broker, cleaning and detectors, judged by recorded alarms.
//!
//! Each file is a machine of its own; its detector learns from the first 400 rows and is then frozen. A row is
//! called anomalous while an `anomaly` alarm of its machine is active. No label is read before the verdict, and only
//! the rows after the training rows are judged, as in the published figures.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use bench::analytics::skab::{self, Experiment, Outcome, TRAINING_ROWS};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::{Map, Value};
use signal::model::MappingRule;
use signal::{AssetId, EventKind, TenantId, TimeRange};

use crate::config::Config;
use crate::serve::{self, print};

const ALL: TimeRange = TimeRange { start_us: 0, end_us: i64::MAX / 2 };

pub(crate) async fn run(data: Option<PathBuf>, days_per_false_alarm: f64) -> anyhow::Result<()> {
    let folder = match data {
        Some(folder) => folder,
        None => match std::env::var_os("FETTLER_DATA") {
            Some(root) => PathBuf::from(root).join("skab/data"),
            None => bail!("name the folder with --data or set FETTLER_DATA"),
        },
    };
    let experiments = skab::read_all(&folder)?;
    let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
    let running = serve::start(&config(dir.path(), days_per_false_alarm)).await?;
    map_topics(&running).await?;
    publish(&running, &experiments).await?;
    // The last rows of each file wait until their signals count as silent.
    tokio::time::sleep(Duration::from_secs(5)).await;

    let mut outcome = Outcome::default();
    for experiment in &experiments {
        outcome = outcome.plus(judge(&running, experiment).await?);
    }
    running.stop().await;
    let mut table = skab::table(&experiments, "broker, cleaning, detectors and recorded alarms");
    skab::row(&mut table, &format!("ours, one false alarm in {days_per_false_alarm} d"), outcome);
    skab::trivial_rows(&experiments, &mut table);
    skab::published_rows(&mut table);
    print(&format!("{table}\n"));
    Ok(())
}

async fn judge(running: &serve::Running, experiment: &Experiment) -> anyhow::Result<Outcome> {
    let active = alarm_spans(running, asset_of(running, &topic(experiment))?).await?;
    let times_us = times_us(experiment)?;
    let verdicts: Vec<bool> =
        times_us.iter().map(|us| active.iter().any(|span| span.contains(*us))).collect();
    Ok(Outcome::of(experiment, &verdicts))
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

/// The machine of an experiment, which is also its topic.
fn topic(experiment: &Experiment) -> String {
    format!("skab/{}/{}", experiment.group, experiment.name)
}

fn times_us(experiment: &Experiment) -> anyhow::Result<Vec<i64>> {
    let time_us = |text: &String| {
        connect::parse_time(text)
            .with_context(|| format!("{}: {text} is no time", topic(experiment)))
    };
    experiment.times.iter().map(time_us).collect()
}

/// All rows as one message: a list of times, and a list of values per sensor.
fn payload(experiment: &Experiment) -> anyhow::Result<String> {
    let mut block = Map::new();
    let times_us = times_us(experiment)?;
    block.insert("t".to_owned(), times_us.iter().map(|us| Value::from(us / 1000)).collect());
    for (idx, sensor) in experiment.sensors.iter().enumerate() {
        let column = experiment.rows.iter().map(|row| Value::from(row[idx]));
        block.insert(sensor.clone(), column.collect());
    }
    Ok(Value::Object(block).to_string())
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
        client.publish(topic(experiment), QoS::AtLeastOnce, false, payload(experiment)?).await?;
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
