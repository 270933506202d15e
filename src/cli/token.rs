//! `daybook token create|list|revoke`.

use crate::clock::{Clock as _, SystemClock};
use crate::identity::{NewToken, Role, Tokens};
use crate::spec::time::MICROS_PER_DAY;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Tokens of the ledger in a folder. A running server notices changes within a second.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token. It is printed once and kept nowhere.
    Create(Create),
    /// List tokens: who they are, not what they are.
    List(List),
    /// Make a token open nothing any more.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub struct Create {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Who holds it: app:<id> or user:<id>, as it will stand in entries. An opaque id, not a name.
    #[arg(long)]
    actor: String,
    /// producer, compliance, auditor or admin; may be given more than once.
    #[arg(long = "role", required = true, value_name = "ROLE")]
    roles: Vec<Role>,
    /// CloudEvents source it may post for, exact or a prefix ending in *; may be given more than once. None: any.
    #[arg(long = "source", value_name = "SOURCE")]
    sources: Vec<String>,
    /// Days until it expires. None: until it is revoked.
    #[arg(long, value_name = "DAYS")]
    expires: Option<u16>,
}

#[derive(Debug, Args)]
pub struct List {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The token's id, as `daybook token list` shows it.
    id: String,
}

impl Token {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Token::Create(create) => {
                let later = |days: u16| SystemClock.now().saturating_add(i64::from(days) * MICROS_PER_DAY);
                let expires = create.expires.map(later);
                let new =
                    NewToken { actor: create.actor, roles: create.roles, sources: create.sources, expires };
                std::fs::metadata(&create.data).with_context(|| create.data.display().to_string())?;
                let (token, info) = Tokens::create(&create.data, new)?;
                println!("{token}");
                eprintln!("Token {} for {}. It is shown this once.", info.id, info.actor);
            }
            Token::List(list) => {
                for token in Tokens::list(&list.data)? {
                    let roles: Vec<_> = token.roles.iter().map(Role::to_string).collect();
                    let expires = token.expires.map_or_else(|| "never".to_owned(), |time| time.to_string());
                    let sources =
                        if token.sources.is_empty() { "any source".into() } else { token.sources.join(" ") };
                    println!(
                        "{}  {}  {}  {sources}  made {}  expires {expires}",
                        token.id,
                        token.actor,
                        roles.join("+"),
                        token.created
                    );
                }
            }
            Token::Revoke(revoke) => {
                Tokens::revoke(&revoke.data, &revoke.id)?;
                eprintln!("Token {} opens nothing any more.", revoke.id);
            }
        }
        Ok(())
    }
}
