//! `medcredit subject show|find`: one file for each subject (一人一档).

mod show;

use std::io::Write;

use clap::{ArgGroup, Args, Subcommand};

use super::{Context, OrFail, Usage, context::crypter, model::library, operator::Operator};
use crate::{
    app,
    dossier::{Dossiers, Found, PersonalAccess, SearchKey, Tables},
};

/// Show everything stored about a subject, or find subjects by number or name.
#[derive(Debug, Args)]
pub(super) struct SubjectCommand {
    #[command(flatten)]
    operator: Operator,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show everything stored about a subject: identity, facts, grades, adverse facts, consents and disclosures
    Show {
        /// The subject's code, such as H33030200090
        code: String,
        /// Show personal data in full; the ledger records the operator and the purpose
        #[arg(long, requires = "purpose")]
        reveal: bool,
        /// The purpose of showing personal data
        #[arg(long, requires = "reveal")]
        purpose: Option<String>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Find subjects by an exact number, name or code; numbers and names are read from standard input
    #[command(group(ArgGroup::new("by").required(true)))]
    Find {
        /// Find by the number of an identity document: the person's own, or a legal representative's
        #[arg(long, group = "by")]
        id_number: bool,
        /// Find by a name: a person's, an institution's or a legal representative's
        #[arg(long, group = "by")]
        name: bool,
        /// Find by this unified social credit code
        #[arg(long, group = "by", value_name = "USCC")]
        uscc: Option<String>,
        /// The purpose of a search by number or name; the ledger records the operator and the purpose
        #[arg(long, required_unless_present = "uscc", conflicts_with = "uscc")]
        purpose: Option<String>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(args: SubjectCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let references = app::reference_tables(&config, &library(ctx)?)?;
    let db = ctx.store(&config).await?;
    let crypter = crypter(&config, &db).await?;
    let tables = Tables { kinds: references.kinds, regions: references.regions, catalogues: references.catalogues };
    let dossiers = Dossiers::new(ctx.env(&db), crypter, tables);
    let done = execute(args, &dossiers, ctx).await;
    db.close().await;
    done
}

async fn execute(args: SubjectCommand, dossiers: &Dossiers, ctx: &Context) -> anyhow::Result<()> {
    match args.action {
        Action::Show { code, reveal, purpose, json } => {
            let dossier = if reveal {
                // Never absent: the parser requires it with `--reveal`.
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
                (true, ..) => SearchKey::IdNumber(ctx.ask("the number of the identity document")?),
                (_, true, _) => SearchKey::Name(ctx.ask("the name")?),
                (.., Some(uscc)) => SearchKey::Uscc(uscc),
                _ => return Err(Usage("one of --id-number, --name and --uscc is needed".into()).into()),
            };
            let actor = purpose.is_some().then(|| args.operator.actor(ctx)).transpose()?;
            let look = actor.as_ref().zip(purpose.as_deref()).map(|(actor, purpose)| PersonalAccess { actor, purpose });
            let found = dossiers.find(&wanted, look).await.or_fail()?;
            print_found(&found, json, ctx)
        }
    }
}

fn print_found(found: &[Found], json: bool, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(found)?)?;
    } else {
        for one in found {
            let (uscc, number) = (one.uscc.as_deref().unwrap_or("-"), one.id_number.as_deref().unwrap_or("-"));
            writeln!(out, "{:20}  {:19}  {}  {uscc:18}  {number:18}  {}", one.code, one.kind, one.region, one.name)?;
        }
    }
    anyhow::ensure!(!found.is_empty(), "no subject matches exactly");
    Ok(())
}
