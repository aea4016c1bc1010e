//! The whole program is killed under load, and its log is torn; `fettler bench crash` does more of the same.

use std::process::Command;

/// What `fettler bench …` prints; it must succeed.
fn bench(args: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_fettler");
    let done = Command::new(program).arg("bench").args(args).output().expect("it is built");
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    println!("{told}");
    assert!(done.status.success(), "{told}\n{}", String::from_utf8_lossy(&done.stderr));
    told
}

/// Few kills, a sample of the cuts, and a rate that an unoptimized build on a busy machine keeps up with.
#[test]
fn what_was_acknowledged_survives_kill_9() {
    let told = bench(&["crash", "--kills=3", "--seed=1", "--rate=2000", "--cut-every=40"]);
    assert!(
        told.contains("0 lost, 0 doubled, 0 never sent") && told.contains("torn log"),
        "{told}"
    );
}

/// Says so and checks nothing where no small disk can be mounted.
#[test]
fn a_full_disk_refuses_writes_and_shows_no_ghosts() {
    bench(&["full"]);
}
