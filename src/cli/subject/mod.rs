//! `medcredit subject show|find`: one file a subject (一人一档).

mod show;

use std::{io::Write, sync::Arc};

use clap::{ArgGroup, Args, Subcommand};

use super::{Context, OrFail, Usage, model::library, operator::Operator};
use crate::{
    app, authority,
    dossier::{Dossiers, Found, PersonalAccess, SearchKey, Tables},
    store::Db,
};

/// Subjects as the bureau sees them.
#[derive(Debug, Args)]
pub(super) struct SubjectCommand {
    #[command(flatten)]
    operator: Operator,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show everything held of a subject: who it is, facts, grades, adverse facts, consents, who read what
    Show {
        /// The subject's code, such as H33030200090
        code: String,
        /// Personal parts in full; the look, with its purpose, becomes an entry of the ledger
        #[arg(long, requires = "purpose")]
        reveal: bool,
        /// What for
        #[arg(long, requires = "reveal")]
        purpose: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Find subjects by exactly what is known of them; numbers and names are read from standard input
    #[command(group(ArgGroup::new("by").required(true)))]
    Find {
        /// By a certificate's number: the person's own, or a legal representative's; read from standard input
        #[arg(long, group = "by")]
        id_number: bool,
        /// By a name: a person's, an institution's or a legal representative's; read from standard input
        #[arg(long, group = "by")]
        name: bool,
        /// By the unified social credit code
        #[arg(long, group = "by", value_name = "USCC")]
        uscc: Option<String>,
        /// What for: a search by number or name, with its purpose, becomes an entry of the ledger
        #[arg(long, required_unless_present = "uscc", conflicts_with = "uscc")]
        purpose: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(super) async fn run(args: SubjectCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let references = app::reference_tables(&config, &library(ctx)?)?;
    let crypter = Arc::new(authority::crypter(&config.secrets)?);
    let db = ctx.store(&config).await?;
    let tables = Tables { kinds: references.kinds, regions: references.regions, catalogues: references.catalogues };
    let dossiers = Dossiers::new(ctx.env(&db), crypter, tables);
    let done = act(args, &dossiers, ctx).await;
    close(db).await;
    done
}

async fn close(db: Db) {
    db.close().await;
}

async fn act(args: SubjectCommand, dossiers: &Dossiers, ctx: &Context) -> anyhow::Result<()> {
    match args.action {
        Action::Show { code, reveal, purpose, json } => {
            let dossier = if reveal {
                let purpose = purpose.unwrap_or_default();
                dossiers.reveal(&code, PersonalAccess { actor: &args.operator.actor(ctx)?, purpose: &purpose }).await
            } else {
                dossiers.show(&code).await
            };
            let dossier = dossier.or_fail()?;
            if json {
                writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&dossier)?)?;
            } else {
                show::write(&dossier, &mut ctx.out())?;
            }
            Ok(())
        }
        Action::Find { id_number, name, uscc, purpose, json } => {
            let wanted = match (id_number, name, uscc) {
                (true, ..) => SearchKey::IdNumber(ctx.ask("the certificate's number")?),
                (_, true, _) => SearchKey::Name(ctx.ask("the name")?),
                (.., Some(uscc)) => SearchKey::Uscc(uscc),
                _ => return Err(Usage("say what is known: --id-number, --name or --uscc USCC".into()).into()),
            };
            let actor = purpose.is_some().then(|| args.operator.actor(ctx)).transpose()?;
            let look = actor.as_ref().zip(purpose.as_deref()).map(|(actor, purpose)| PersonalAccess { actor, purpose });
            let found = dossiers.find(&wanted, look).await.or_fail()?;
            tell(&found, json, ctx)
        }
    }
}

fn tell(found: &[Found], json: bool, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(found)?)?;
    } else {
        for one in found {
            let (uscc, number) = (one.uscc.as_deref().unwrap_or("-"), one.id_number.as_deref().unwrap_or("-"));
            writeln!(out, "{:20}  {:19}  {}  {uscc:18}  {number:18}  {}", one.code, one.kind, one.region, one.name)?;
        }
    }
    anyhow::ensure!(!found.is_empty(), "no subject is known by exactly that");
    Ok(())
}
