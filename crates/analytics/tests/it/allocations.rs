//! A detector that is warm judges every event without asking for memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use analytics::detect::records::Records;
use analytics::stream::{AssetMonitor, Settings};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[allow(unsafe_code, reason = "an allocator can only be counted from inside")]
// SAFETY: every call is handed on unchanged to the system's allocator; the counter itself never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`, which is the system's own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, hence from the system.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn check_allocates_nothing(what: &str, events: impl FnOnce()) {
    let before = COUNT.with(Cell::get);
    events();
    assert_eq!(COUNT.with(Cell::get) - before, 0, "{what}");
}

/// Eight sensors that follow one load; no random numbers are needed for this.
fn row(n: u32) -> [f64; 8] {
    let load = f64::from(n * 7 % 100) / 10.0;
    std::array::from_fn(|k| load * (k as f64 - 3.0) + f64::from((n * (k as u32 + 3)) % 11))
}

#[test]
fn a_warm_monitor_judges_without_allocation() {
    for refit in [false, true] {
        let settings = Settings { learn_rows: 400, rows_per_false_alarm: 86_400.0, refit, seed: 1 };
        let mut monitor = AssetMonitor::new(8, settings);
        // The model is fitted at 400, 800 … 12,800 rows; between those, nothing is asked for.
        (0..12_900).for_each(|n| _ = monitor.push(&row(n), 0));
        check_allocates_nothing("rows as learned", || {
            (0..10_000).for_each(|n| _ = monitor.push(&row(n), 0));
        });
        let mut n_alarmed = 0;
        check_allocates_nothing("rows of a fault", || {
            for n in 0..1000 {
                let mut row = row(n);
                row[2] += 20.0;
                n_alarmed += u32::from(monitor.push(&row, 0).alarm);
            }
        });
        assert!(n_alarmed > 900, "{n_alarmed}");
    }
}

#[test]
fn records_are_found_without_allocation() {
    let mut records = Records::new(288);
    check_allocates_nothing("values", || {
        (0..10_000_u32).for_each(|n| _ = records.push(f64::from(n * 7 % 1000)));
    });
}
