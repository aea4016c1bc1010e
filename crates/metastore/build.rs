//! Rebuilds the crate when a migration or an asset type changes: both are embedded.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=src/library");
}
