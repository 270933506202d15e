//! Seeds are embedded in the binary; a new file among them must lead to a new binary.

fn main() {
    println!("cargo::rerun-if-changed=seeds");
}
