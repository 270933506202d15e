//! `daybook token create|list|revoke`.

use crate::clock::{Clock as _, SystemClock};
use crate::identity::{FACTS, NewToken, Principal, Role, TokenInfo, Tokens};
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
    /// producer (posts), compliance, auditor or admin (read everything), or corrector, reconciler, importer, privacy,
    /// special-categories, hold-keeper, guest; may be given more than once.
    #[arg(long = "role", required = true, value_name = "ROLE")]
    roles: Vec<Role>,
    /// CloudEvents source it may post for, exact or a prefix ending in *; may be given more than once. None: any.
    #[arg(long = "source", value_name = "SOURCE")]
    sources: Vec<String>,
    /// Type of event it may post, exact or a prefix ending in *, or `facts` for every type that the catalogue calls so; may be
    /// given more than once. None: facts. Acts of governance (grants, votes, roles, corrections …) have to be named.
    #[arg(long = "types", value_name = "TYPE")]
    types: Vec<String>,
    /// Whom it may speak for beside itself (which `by` it may state), exact or a prefix ending in *; after `facts:`, in facts
    /// and requests alone; may be given more than once. None: an app `facts:user:*`, a user nobody.
    #[arg(long = "speaks-for", value_name = "PRINCIPAL")]
    speaks_for: Vec<String>,
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
                let types = if create.types.is_empty() { vec![FACTS.to_owned()] } else { create.types };
                let usual = || Principal::usual_speech(&create.actor);
                let speaks_for = if create.speaks_for.is_empty() { usual() } else { create.speaks_for };
                let new = NewToken {
                    actor: create.actor,
                    roles: create.roles,
                    sources: create.sources,
                    types: Some(types),
                    speaks_for: Some(speaks_for),
                    expires,
                };
                std::fs::metadata(&create.data).with_context(|| create.data.display().to_string())?;
                let (token, info) = Tokens::create(&create.data, new)?;
                println!("{token}");
                eprintln!("Token {} for {}. It is shown this once.", info.id, info.actor);
            }
            Token::List(list) => {
                for token in Tokens::list(&list.data)? {
                    println!("{}", line(&token));
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

/// A token in a line: who it is and what it may, and that it is open where it may say anything, or for anyone.
fn line(token: &TokenInfo) -> String {
    let roles: Vec<_> = token.roles.iter().map(Role::to_string).collect();
    let all = |texts: &[String]| texts.join(" ");
    let sources = if token.sources.is_empty() { "any source".to_owned() } else { all(&token.sources) };
    let types = token.types.as_deref().map_or_else(
        || "any type".to_owned(),
        |types| match types {
            [] => "no type but its roles'".to_owned(),
            types => all(types),
        },
    );
    let speech = token.speaks_for.as_deref().map_or_else(
        || "anyone".to_owned(),
        |others| match others {
            [] => "itself".to_owned(),
            others => format!("itself {}", all(others)),
        },
    );
    let open = if token.principal().is_open() { "  open" } else { "" };
    let expires = token.expires.map_or_else(|| "never".to_owned(), |time| time.to_string());
    format!(
        "{}  {}  {}{open}  {sources}  posts {types}  speaks for {speech}  made {}  expires {expires}",
        token.id,
        token.actor,
        roles.join("+"),
        token.created
    )
}
