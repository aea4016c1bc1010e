//! Rates of the log and the buffer, in rows per second: `cargo bench -p wal`.
//!
//! The groups without `disk` in their name work in `/dev/shm` where there is one, so that their time is CPU time;
//! `disk` lies in the temporary directory and waits for its fsync.

use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use signal::{Quality, Rows, Sample, SampleColumns, SignalId, SourceId, TenantId};
use tempfile::TempDir;
use wal::{Buffer, Log, Options};

const N_ENTRIES: usize = 20;
/// One line-protocol body of 500 rows with 10 fields each.
const N_ROWS: usize = 5_000;

fn entry(n: usize) -> Rows {
    let mut samples = SampleColumns::with_capacity(N_ROWS);
    for row_idx in 0..N_ROWS {
        samples.push(Sample {
            signal: SignalId((row_idx % 1_000) as u32),
            time_us: 1_700_000_000_000_000 + (n * N_ROWS + row_idx) as i64 * 100,
            value: row_idx as f64 * 0.1,
            quality: Quality::GOOD,
        });
    }
    Rows { tenant: TenantId::FIRST, source: SourceId(1), samples, events: Vec::new() }
}

fn memory_dir() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
        .expect("a temporary directory")
}

fn open(dir: &TempDir) -> Log {
    let options = Options { keep_free_bytes: 0, keep_free_percent: 0, ..Options::default() };
    Log::open(dir.path(), options).expect("opens").0
}

fn rates(criterion: &mut Criterion) {
    let entries: Vec<Rows> = (0..N_ENTRIES).map(entry).collect();
    let group: Vec<&Rows> = entries.iter().collect();
    let mut bench = criterion.benchmark_group("rows");
    bench.throughput(Throughput::Elements((N_ENTRIES * N_ROWS) as u64));
    bench.sample_size(20);

    for (name, dir) in
        [("append", memory_dir()), ("append, disk", tempfile::tempdir().expect("a directory"))]
    {
        let mut log = open(&dir);
        bench.bench_function(name, |bencher| {
            bencher.iter(|| {
                let lsns = log.append(&group).expect("room");
                log.truncate_before(lsns.end).expect("can be deleted");
            });
        });
    }

    let dir = memory_dir();
    open(&dir).append(&group).expect("room");
    bench.bench_function("replay", |bencher| {
        bencher.iter_with_large_drop(|| {
            let (_, replay) = Log::open(dir.path(), Options::default()).expect("opens");
            assert_eq!(replay.entries.len(), N_ENTRIES);
            replay
        });
    });

    bench.bench_function("push", |bencher| {
        bencher.iter_batched_ref(
            Buffer::default,
            |buffer| push_all(buffer, &entries),
            BatchSize::PerIteration,
        );
    });

    // As much as no cache holds, in memory that was never touched.
    bench.throughput(Throughput::Elements((30 * N_ENTRIES * N_ROWS) as u64));
    bench.bench_function("push, 3 million", |bencher| {
        bencher.iter_batched_ref(
            Buffer::default,
            |buffer| {
                for lsn in 0..30 * N_ENTRIES {
                    buffer.push(lsn as u64 + 1, &entries[lsn % N_ENTRIES], 0);
                }
                assert_eq!(buffer.rows(TenantId::FIRST), (30 * N_ENTRIES * N_ROWS) as u64);
            },
            BatchSize::PerIteration,
        );
    });
    bench.throughput(Throughput::Elements((N_ENTRIES * N_ROWS) as u64));

    // A buffer that lives: rows come and, ten times later, go.
    let (buffer, mut lsn, mut n_rounds) = (Buffer::default(), 0, 0);
    bench.bench_function("push, seal and release", |bencher| {
        bencher.iter(|| {
            for rows in &entries {
                lsn += 1;
                buffer.push(lsn, rows, 0);
            }
            n_rounds += 1;
            if n_rounds % 10 == 0 {
                let sealed = buffer.seal(TenantId::FIRST).expect("rows");
                buffer.release(TenantId::FIRST, sealed.last_lsn);
            }
        });
    });
    bench.finish();

    let mut bench = criterion.benchmark_group("snapshot");
    let buffer = Buffer::default();
    push_all(&buffer, &entries);
    bench.bench_function("unchanged", |bencher| {
        bencher.iter(|| black_box(buffer.snapshot(TenantId::FIRST)));
    });
    let small = Rows { samples: small_samples(), ..entry(0) };
    let mut lsn = N_ENTRIES as u64;
    bench.bench_function("after a push", |bencher| {
        bencher.iter(|| {
            lsn += 1;
            buffer.push(lsn, &small, 0);
            black_box(buffer.snapshot(TenantId::FIRST))
        });
    });
    bench.finish();
}

fn push_all(buffer: &Buffer, entries: &[Rows]) {
    for (lsn, rows) in (1..).zip(entries) {
        buffer.push(lsn, rows, 0);
    }
}

fn small_samples() -> SampleColumns {
    let mut samples = SampleColumns::default();
    samples.push(entry(0).samples.get(0));
    samples
}

criterion_group!(benches, rates);
criterion_main!(benches);
