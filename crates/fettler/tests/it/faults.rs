//! The whole program is killed under load, and its log is torn; `fettler bench crash` does more of the same.

use std::process::Command;

/// Few kills, a sample of the cuts, and a rate that an unoptimized build on a busy machine keeps up with.
const ARGS: [&str; 9] =
    ["bench", "crash", "--kills", "3", "--seed", "1", "--rate", "2000", "--cut-every=40"];

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let done =
        Command::new(env!("CARGO_BIN_EXE_fettler")).args(ARGS).output().expect("it is built");
    let (told, complaint) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    println!("{told}");
    assert!(done.status.success(), "{told}\n{complaint}");
    assert!(
        told.contains("0 lost, 0 doubled, 0 never sent") && told.contains("torn log"),
        "{told}"
    );
}
