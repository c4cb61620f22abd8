//! `medcredit score verify-package`: a package, offline, check by check, by whoever received it or made it.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use crate::{
    authority::files,
    cli::{
        Context, Usage,
        bank::{Findings, read_keys, short},
    },
    identity::PublicKey,
    push::{DataFile, Detached, MANIFEST, Manifest, PackageFault, SIGNATURE, sha256},
};

/// Verify a package.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyPackage {
    /// The package's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The keys you keep of the gateway, a JSON Web Key Set: what it serves at /.well-known/jwks.json
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
}

/// Runs the command. It needs neither a configuration nor the gateway.
pub(super) fn run(args: &VerifyPackage, ctx: &Context) -> anyhow::Result<()> {
    let folder = args.folder.as_path();
    if !folder.is_dir() {
        return Err(Usage(format!(
            "{} is no folder: give the one that `score export` made, with {MANIFEST}, {SIGNATURE} and the data in it",
            folder.display()
        ))
        .into());
    }
    let keys = read_keys(&args.keys)?;
    let mut findings = Findings::default();
    let manifest = check_manifest(folder, &keys, &mut findings)?;
    match &manifest {
        Some(manifest) => {
            for file in &manifest.files {
                check_file(folder, file, &mut findings);
            }
            check_folder(folder, manifest, &mut findings)?;
        }
        None => findings.skipped("data", "not checked: the manifest does not verify"),
    }
    let mut out = ctx.out();
    if let Some(manifest) = &manifest {
        head(manifest, &mut out)?;
    }
    findings.write(&mut out)?;
    let problems = findings.problems();
    if !problems.is_empty() {
        bail!("{} does not verify: {}", folder.display(), problems.join(", "));
    }
    writeln!(
        out,
        "\nThis is what was signed, whole and with nothing added. That the ledger has the export's entry is not"
    )?;
    writeln!(out, "looked at here: the bureau finds it by the manifest's SHA-256.")?;
    Ok(())
}

/// What the package says it is, once that is known to be signed.
fn head(manifest: &Manifest, out: &mut dyn Write) -> std::io::Result<()> {
    let Manifest { receiver, made_at, run, kind, period, scheme, scheme_version, .. } = manifest;
    writeln!(out, "{kind} of {period} for {receiver}, made {made_at}")?;
    writeln!(out, "round {run}, graded by {scheme} version {scheme_version}")?;
    if let Some(mapped) = &manifest.mapped_by {
        writeln!(out, "grades in the words of {} ({}), by the table {}", mapped.mapping, mapped.to, mapped.digest)?;
    }
    writeln!(out)
}

/// The manifest, if the signature beside it is good.
fn check_manifest(folder: &Path, keys: &[PublicKey], findings: &mut Findings) -> anyhow::Result<Option<Manifest>> {
    let manifest = files::read(&folder.join(MANIFEST)).context("the package has no manifest that can be read")?;
    let signature = files::read(&folder.join(SIGNATURE)).context("the package has no signature that can be read")?;
    let told = |fault: PackageFault| fault.to_string();
    let key = Detached::parse(&signature).and_then(|signature| {
        let key = signature.key(keys)?;
        let text = format!("{} key {} is the one the signature names", key.suite(), short(key.key_id()));
        Ok((text, (signature, key)))
    });
    let Some((signature, key)) = findings.judge("key", key.map_err(told)) else { return Ok(None) };
    let verified = signature.verify(key, &manifest);
    let text = format!("{MANIFEST} is, byte for byte, what that key signed");
    let verified = verified.map(|()| (text, ())).map_err(told);
    if findings.judge("signature", verified).is_none() {
        return Ok(None);
    }
    let read = Manifest::read(&manifest).map_err(told);
    let text = format!("{} bytes in canonical form, SHA-256 {}", manifest.len(), sha256(&manifest));
    Ok(findings.judge("manifest", read.map(|read| (text, read))))
}

/// A data file: that it is there, its size and digest, its records.
fn check_file(folder: &Path, file: &DataFile, findings: &mut Findings) {
    let name = &file.name;
    let bytes = read_data(&folder.join(name), file).map(|bytes| {
        let text = format!("{name}: {} bytes, with the SHA-256 that the manifest says", bytes.len());
        (text, bytes)
    });
    let Some(bytes) = findings.judge("data", bytes) else {
        return findings
            .skipped("records", format!("{name}: not counted: it is not the file that the manifest says of"));
    };
    let counted = file.check_records(&bytes).map_err(|fault| fault.to_string());
    let text = format!("{name}: {} records, as many as the manifest says", file.records);
    findings.judge("records", counted.map(|()| (text, ())));
}

/// The bytes of a data file. One of another size is not read: what is read is as much as the manifest says.
fn read_data(path: &Path, file: &DataFile) -> Result<Vec<u8>, String> {
    let name = &file.name;
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{name}: the manifest names it, and it is not there"),
        _ => format!("{name} cannot be read: {error}"),
    };
    let met = fs::symlink_metadata(path).map_err(unreadable)?;
    if !met.is_file() {
        return Err(format!("{name}: it is no plain file"));
    }
    let told = |fault: PackageFault| fault.to_string();
    file.check_size(usize::try_from(met.len()).unwrap_or(usize::MAX)).map_err(told)?;
    let bytes = fs::read(path).map_err(unreadable)?;
    file.check_bytes(&bytes).map_err(told)?;
    Ok(bytes)
}

/// That the folder has nothing but what the manifest names.
fn check_folder(folder: &Path, manifest: &Manifest, findings: &mut Findings) -> anyhow::Result<()> {
    let mut named: BTreeSet<OsString> = manifest.files.iter().map(|file| OsString::from(&file.name)).collect();
    named.extend([MANIFEST, SIGNATURE].map(OsString::from));
    let mut others = BTreeSet::new();
    let unreadable = || format!("{} cannot be listed", folder.display());
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let name = entry.with_context(unreadable)?.file_name();
        if !named.contains(&name) {
            // Escaped: whoever added it has chosen the name.
            others.insert(format!("{:?}", name.to_string_lossy()));
        }
    }
    let others: Vec<String> = others.into_iter().collect();
    match others.as_slice() {
        [] => findings.good("folder", "nothing is in it but the manifest, its signature and what the manifest names"),
        some => findings.wrong("folder", format!("nobody signed for what else is in it: {}", some.join(", "))),
    }
    Ok(())
}
