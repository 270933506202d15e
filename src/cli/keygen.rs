//! `daybook keygen`: a signing key ahead of its use, for a rotation or as the pre-committed next key.

use crate::app::config::passphrase;
use crate::log::keys::generate;
use crate::spec::encoding::{to_base64, to_hex};
use crate::spec::entry::key_commitment;
use crate::spec::note::Signer as _;
use clap::Args;
use std::path::PathBuf;

/// Make a key file (PKCS#8, mode 0600; encrypted if DAYBOOK_KEY_PASSPHRASE is set).
#[derive(Debug, Args)]
pub struct Keygen {
    /// The ledger's origin: the key's name.
    #[arg(long)]
    origin: String,
    /// The folder that the key file goes to.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Print one JSON line.
    #[arg(long)]
    json: bool,
}

impl Keygen {
    pub fn run(self) -> anyhow::Result<()> {
        let passphrase = passphrase();
        let (key, path) = generate(&self.out, &self.origin, passphrase.as_deref())?;
        let (vkey, commitment) = (key.verifier().to_string(), to_base64(&key_commitment(key.verifier())));
        let id = to_hex(&key.verifier().id());
        if self.json {
            let file = path.display().to_string();
            println!("{}", serde_json::json!({"vkey": vkey, "key_id": id, "next": commitment, "file": file}));
            return Ok(());
        }
        println!("Key file     {}", path.display());
        println!("Key ID       {id}");
        println!("Vkey         {vkey}");
        println!("Commitment   {commitment}   (for --next)");
        if passphrase.is_none() {
            eprintln!("The key file is not encrypted; set DAYBOOK_KEY_PASSPHRASE to encrypt it.");
        }
        Ok(())
    }
}
