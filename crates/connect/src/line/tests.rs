//! Bodies through a real inlet and registrar.

use super::*;
use crate::directory::Wanted;
use crate::inlet::{Fate, inlet};
use proptest::prelude::*;
use signal::SignalId;
use std::time::Duration;

type Stored = Vec<(String, f64, i64)>;

/// Writes `body` through a real inlet and registrar.
async fn write(body: &str, precision: Precision) -> (Report, Stored, Vec<String>) {
    let (directory, mut wanted) = Directory::new();
    let names = Arc::new(Mutex::new(Vec::<String>::new()));
    let (registrar, known) = (directory.clone(), names.clone());
    tokio::spawn(async move {
        while let Some(question) = wanted.recv().await {
            if let Wanted::Address { source, address, looks, answer } = question {
                let kind =
                    if looks == LooksLike::Text { SignalKind::Text } else { SignalKind::Gauge };
                let mut names = lock(&known);
                let target = Target { signal: SignalId(names.len() as u32), a: 1.0, b: 0.0, kind };
                registrar.insert(source, &address, target);
                names.push(address);
                let _ = answer.send(Some(target));
            }
        }
    });
    let (inlet, mut queue) = inlet(1000, Arc::default());
    let consumer = std::thread::spawn(move || {
        let mut stored = Rows::default();
        let mut deliveries = Vec::new();
        while queue.wait(&mut deliveries, 1000, Duration::from_millis(50)) {
            for delivery in deliveries.drain(..) {
                stored.samples.extend_from(&delivery.rows.samples);
                stored.events.extend(delivery.rows.events.iter().cloned());
                let n_rows = delivery.rows.len() as u64;
                delivery.answer(Ok(Fate { stored: n_rows, duplicates: 0 }));
            }
        }
        stored
    });
    let line = Line::new(TenantId::FIRST, SourceId(1), directory);
    let report = line.write(&inlet, body.as_bytes(), precision, 1_000).await.expect("open");
    assert!(inlet.balance().totals().holds());
    drop(inlet);
    let stored = consumer.join().expect("no panic");
    let names = lock(&names).clone();
    let samples = stored
        .samples
        .iter()
        .map(|s| (names[s.signal.idx()].clone(), s.value, s.time_us))
        .collect();
    (report, samples, stored.events.into_iter().map(|event| event.body).collect())
}

#[tokio::test]
async fn lines_become_rows() {
    let body = "press,site=hh,machine=p1 oil=21.5,count=3i,on=true,x=1.,y=.5 1767225600000000000\n\
                # a comment\n\
                press,site=hh,machine=p1 oil=22 1767225601000000000\n";
    let (report, stored, _) = write(body, Precision::Ns).await;
    assert_eq!((report.stored_lines, report.stored_values, report.n_bad), (2, 6, 0));
    let names: Vec<&str> = stored.iter().map(|(name, _, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "press/p1/hh/oil",
            "press/p1/hh/count",
            "press/p1/hh/on",
            "press/p1/hh/x",
            "press/p1/hh/y",
            "press/p1/hh/oil"
        ]
    );
    assert_eq!(
        stored.iter().map(|(_, value, _)| *value).collect::<Vec<_>>(),
        [21.5, 3.0, 1.0, 1.0, 0.5, 22.0]
    );
    assert_eq!(stored[5].2, 1_767_225_601_000_000);
}

#[tokio::test]
async fn bad_lines_are_named_and_good_ones_stored() {
    let (report, stored, _) =
        write("a x=1 1\nb\nc x=1,y=oops 1\nd x=2 soon\ne x=5 2", Precision::S).await;
    assert_eq!(report.bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(stored, [("a/x".to_owned(), 1.0, 1_000_000), ("e/x".to_owned(), 5.0, 2_000_000)]);
}

/// One bad line between two good ones: it is named, and nothing else is lost.
async fn check_refused(line: &str, expected: &str) {
    let body = format!("good x=1 1\n{line}\ngood x=2 2");
    let (report, stored, _) = write(&body, Precision::S).await;
    assert_eq!((report.n_bad, stored.len()), (1, 2), "{line}: {report:?}");
    assert_eq!(report.bad[0].line, 2);
    assert!(report.bad[0].reason.contains(expected), "{line}: {}", report.bad[0].reason);
}

async fn check_number(text: &str, expected: f64) {
    let (report, stored, _) = write(&format!("m f={text} 1"), Precision::S).await;
    assert_eq!(report.n_bad, 0, "{text}: {report:?}");
    assert_eq!(stored, [("m/f".to_owned(), expected, 1_000_000)], "{text}");
}

#[tokio::test]
async fn what_is_no_value_is_refused_with_its_line_and_field() {
    for text in ["NaN", "nan", "Inf", "-inf", "+Infinity", "1e400", "-1e999"] {
        check_refused(&format!("m a=1,f={text} 1"), "field 'f': NaN and infinity").await;
    }
    check_refused("m f=9223372036854775808i 1", "64 bits with sign").await;
    check_refused("m f=18446744073709551616u 1", "64 bits without sign").await;
    check_refused("m f=-1u 1", "64 bits without sign").await;
    check_refused("m f=1.5i 1", "64 bits with sign").await;
    check_refused("m f= 1", "field 'f'").await;
    check_refused("m f=1 10 11", "time stamp").await;
    check_refused("m,t=a,t=b f=1 1", "the tag 't' is given twice").await;
    check_refused("m,t=a,s=x,t=a f=1 1", "the tag 't' is given twice").await;
    check_refused("m,t=,s=x f=1 1", "no value").await;
}

#[tokio::test]
async fn whole_numbers_reach_as_far_as_the_protocol_says() {
    check_number("9223372036854775807i", 9_223_372_036_854_775_807_i64 as f64).await;
    check_number("-9223372036854775808i", i64::MIN as f64).await;
    check_number("18446744073709551615u", u64::MAX as f64).await;
    check_number("9007199254740993u", 9_007_199_254_740_992.0).await;
    check_number("1.7976931348623157e308", f64::MAX).await;
    check_number("-0", -0.0).await;
}

#[tokio::test]
async fn escapes_strings_and_missing_times_are_understood() {
    let (report, stored, texts) =
        write("my\\ press,a\\,b=c\\=d f\\ 1=2,note=\"a \\\"b\\\", c\nd\"\nm v=1", Precision::Ns)
            .await;
    assert_eq!(report.n_bad, 0, "{report:?}");
    assert_eq!(stored.len(), 2);
    assert_eq!(texts, ["a \"b\", c\nd"]);
    assert!(stored.iter().any(|(name, value, _)| name == "my press/c=d/f 1" && *value == 2.0));
}

proptest! {
    #[test]
    fn hostile_bodies_never_panic(body in prop::collection::vec(any::<u8>(), 0..300), near in "[a-c,= \\\\\"0-9.i\n#-]{0,80}") {
        let (directory, wanted) = Directory::new();
        drop(wanted);
        for bytes in [&body[..], near.as_bytes()] {
            let mut batch = Batch::new(TenantId::FIRST, SourceId(1), bytes.len());
            Decoder::default().decode(&directory, SourceId(1), bytes, Precision::Ns, 0, &mut batch);
        }
    }
}
