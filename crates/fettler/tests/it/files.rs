//! `fettler import` and `fettler replay` against a running Fettler.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Float64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use tempfile::TempDir;
use tokio::process::Command;

use crate::house::House;

/// 2026-01-01 in µs.
const FIRST_US: i64 = 1_767_225_600_000_000;

/// Rows `n` of a recording: one second apart, `pressure` = n, `temperature` = 20 + n / 1000.
fn csv(n_rows: usize) -> String {
    let mut text = String::from("time,pressure,temperature,note\n");
    for n in 0..n_rows {
        let _ =
            writeln!(text, "{},{n},{},", FIRST_US / 1_000_000 + n as i64, 20.0 + n as f64 / 1e3);
    }
    text
}

fn fettler(house: &House) -> Command {
    fettler_to(house, &house.mqtt)
}

fn fettler_to(house: &House, broker: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fettler"));
    command.args(["--log", "warn", "--mqtt-listen", broker]);
    command.env("FETTLER_URL", format!("http://{}", house.web)).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().await.expect("fettler runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

/// Samples, distinct times, sum of values of a signal.
async fn stored(house: &House, path: &str) -> String {
    let query = format!(
        "SELECT count(*), count(DISTINCT s.time), CAST(sum(s.value) AS BIGINT) FROM samples s \
         JOIN signals g ON g.id = s.signal WHERE g.path LIKE '%{path}'"
    );
    house.sql(&query).await
}

fn write(dir: &TempDir, name: &str, text: &str) -> std::path::PathBuf {
    let file = dir.path().join(name);
    std::fs::write(&file, text).expect("written");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_is_shown_before_it_is_written_and_goes_on_after_a_kill() {
    const N_ROWS: usize = 60_000;
    let house = House::start().await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = write(&dir, "press.csv", &csv(N_ROWS));
    let import = |options: &[&str]| {
        let mut command = fettler(&house);
        command.arg("import").arg(&file).args(["--prefix", "hh/l1/p1"]).args(options);
        command
    };

    let (output, text) = run(&mut import(&["--dry-run"])).await;
    assert!(output.status.success(), "{output:?}");
    assert!(
        text.contains("time     time") && text.contains("pressure  →  hh/l1/p1/pressure"),
        "{text}"
    );
    assert!(text.contains("note  (left out)"), "a column without values: {text}");
    let (output, text) = run(&mut import(&[])).await;
    assert!(!output.status.success() && text.contains("[y/N]"), "nobody agreed: {output:?}");
    assert_eq!(house.sql("SELECT count(*) FROM signals").await, "[[0]]", "so nothing was written");

    let note = dir.path().join("press.csv.fettler-import");
    let mut child = import(&["--yes"]).spawn().expect("fettler runs");
    while !note.exists() {
        assert!(child.try_wait().expect("alive").is_none(), "the import ended without a note");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().await.expect("killed");
    assert!(note.exists(), "killed before its end");

    let (output, text) = run(&mut import(&["--yes"])).await;
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("goes on after row ") && text.contains("rows imported"), "{text}");
    assert!(!note.exists());
    let sum = N_ROWS * (N_ROWS - 1) / 2;
    assert_eq!(stored(&house, "p1/pressure").await, format!("[[{N_ROWS},{N_ROWS},{sum}]]"));
    let mean = "SELECT min(s.value), max(s.value) FROM samples s JOIN signals g ON g.id = s.signal WHERE g.path LIKE '%p1/temperature'";
    assert_eq!(house.sql(mean).await, "[[20.0,79.999]]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_file_says_what_columns_mean_and_bad_rows_are_counted() {
    let house = House::start().await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = write(
        &dir,
        "m.csv",
        "Zeit;Druck;Temp\nkaputt;1,5;x\n2026-01-01 00:00:00;2,5;x\n2026-01-01 00:00:01;3,5;x\n",
    );
    let mapping = "time = \"Zeit\"\ndelimiter = \";\"\ndecimal_comma = true\nprefix = \"hh/l1/p2\"\n[columns]\nDruck = \"hydraulics/pressure\"\n";
    let mapping = write(&dir, "mapping.toml", mapping);
    let mut import = fettler(&house);
    let (output, text) =
        run(import.arg("import").arg(&file).arg("--mapping").arg(&mapping).arg("--yes")).await;
    assert!(output.status.success(), "{output:?}");
    assert!(
        text.contains("Druck  →  hh/l1/p2/hydraulics/pressure")
            && text.contains("Temp  (left out)"),
        "{text}"
    );
    assert!(
        text.contains("2 rows imported")
            && text.contains("1 rows could not be read, the first is row 1"),
        "{text}"
    );
    assert_eq!(stored(&house, "hydraulics/pressure").await, "[[2,2,6]]");

    let wrong = write(&dir, "wrong.toml", "time = \"Zeit\"\n[columns]\nDruk = \"x\"\n");
    let (output, _) =
        run(fettler(&house).arg("import").arg(&file).arg("--mapping").arg(&wrong).arg("--yes"))
            .await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("there is no column"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parquet_file_comes_in() {
    let house = House::start().await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("spindle.parquet");
    write_parquet(&file, 12_000);
    let mut import = fettler(&house);
    let (output, text) =
        run(import.arg("import").arg(&file).args(["--prefix", "hh/l2/spindle01", "--yes"])).await;
    assert!(output.status.success(), "{output:?}");
    assert!(
        text.contains("speed  →  hh/l2/spindle01/speed") && text.contains("12000 rows imported"),
        "{text}"
    );
    assert_eq!(stored(&house, "spindle01/speed").await, "[[12000,12000,71994000]]");
    let state = "SELECT min(s.time) = to_timestamp('2026-01-01T00:00:00Z') FROM samples s JOIN signals g ON g.id = s.signal WHERE g.path LIKE '%spindle01/speed'";
    assert_eq!(house.sql(state).await, "[[true]]");
}

fn write_parquet(file: &Path, n_rows: usize) {
    let times = (0..n_rows as i64).map(|n| FIRST_US / 1000 + n);
    let columns: Vec<(&str, arrow::array::ArrayRef)> = vec![
        ("timestamp", Arc::new(TimestampMillisecondArray::from_iter_values(times))),
        ("speed", Arc::new(Float64Array::from_iter_values((0..n_rows).map(|n| n as f64)))),
        ("tool", Arc::new(StringArray::from_iter_values((0..n_rows).map(|n| (n % 3).to_string())))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let file = std::fs::File::create(file).expect("a file");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_replayed_over_mqtt() {
    let house = House::start().await;
    let dir = tempfile::tempdir().expect("a folder");
    // Out of order in the file, in order on the wire.
    let file = write(
        &dir,
        "r.csv",
        "time,x\n2026-01-01T00:00:02Z,3\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:01Z,2\nsoon,9\n",
    );
    let replay = |options: &[&str]| {
        let mut command = fettler(&house);
        command.arg("replay").arg(&file).args(["--prefix", "hh/l1/m1"]).args(options);
        command
    };
    let (output, text) = run(&mut replay(&["--speed", "0", "--recorded-times"])).await;
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("x  →  hh/l1/m1/x"), "{text}");
    assert!(
        text.contains("3 rows published, 3 values acknowledged")
            && text.contains("1 rows have no readable time"),
        "{text}"
    );
    let values = "SELECT s.value, CAST(s.time AS BIGINT) - 1767225600000000, s.quality FROM samples s JOIN signals g ON g.id = s.signal WHERE g.path LIKE '%m1/x' ORDER BY 2";
    assert_eq!(
        house.sql(values).await,
        "[[1.0,0,0],[2.0,1000000,0],[3.0,2000000,0]]",
        "none is late"
    );

    let (output, _) = run(&mut replay(&["--speed", "1000"])).await;
    assert!(output.status.success(), "{output:?}");
    let now = "SELECT count(*) FROM samples s JOIN signals g ON g.id = s.signal WHERE g.path LIKE '%m1/x' AND s.time > now() - INTERVAL '1 hour'";
    assert_eq!(house.sql(now).await, "[[3]]", "moved to the present");

    let mut lost = fettler_to(&house, "127.0.0.1:1");
    lost.arg("replay").arg(&file);
    let (output, _) = run(&mut lost).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("127.0.0.1:1"), "{error}");
}
