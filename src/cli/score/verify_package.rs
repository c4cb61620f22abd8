//! `medcredit score verify-package`: verifies a package offline, check by check, for its receiver or its maker.

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
        bank::{GatewayKeys, short},
        findings::Findings,
    },
    push::{DataFile, Detached, MANIFEST, Manifest, PackageFault, SIGNATURE, sha256},
};

/// Verify a package offline, check by check, with only the gateway's public keys.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyPackage {
    /// The package's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Your copy of the gateway's keys, a JSON Web Key Set, as served at /.well-known/jwks.json
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
}

/// Runs the command, which needs neither a configuration nor the gateway.
pub(super) fn run(args: &VerifyPackage, ctx: &Context) -> anyhow::Result<()> {
    let folder = args.folder.as_path();
    if !folder.is_dir() {
        return Err(Usage(format!(
            "{} is not a folder: give the one that `score export` wrote, with {MANIFEST}, {SIGNATURE} and the data",
            folder.display()
        ))
        .into());
    }
    let keys = GatewayKeys::read(&args.keys)?;
    let mut findings = Findings::default();
    let manifest = check_manifest(folder, &keys, &mut findings)?;
    match &manifest {
        Some(manifest) => {
            for file in &manifest.files {
                check_file(folder, file, &mut findings);
            }
            check_folder(folder, manifest, &mut findings)?;
        }
        None => findings.skipped("data", "not checked: the manifest that lists it does not verify"),
    }
    let mut out = ctx.out();
    if let Some(manifest) = &manifest {
        write_header(manifest, &mut out)?;
    }
    findings.write(&mut out)?;
    let problems = findings.problems();
    if !problems.is_empty() {
        bail!("{} does not verify: {}", folder.display(), problems.join(", "));
    }
    writeln!(
        out,
        "\nThe package is whole, as signed, with nothing added. Whether the ledger has the entry of the export is not"
    )?;
    writeln!(out, "checked here: the bureau finds it by the manifest's SHA-256.")?;
    Ok(())
}

/// Writes the contents of a verified manifest.
fn write_header(manifest: &Manifest, out: &mut dyn Write) -> std::io::Result<()> {
    let Manifest { receiver, made_at, run, kind, period, scheme, scheme_version, .. } = manifest;
    writeln!(out, "{kind} of {period} for {receiver}, made {made_at}")?;
    writeln!(out, "round {run}, graded by {scheme} version {scheme_version}")?;
    if let Some(mapped) = &manifest.mapped_by {
        writeln!(out, "grades mapped to {} ({}), by the table {}", mapped.mapping, mapped.to, mapped.digest)?;
    }
    writeln!(out)
}

/// Checks the manifest's signature, and returns the manifest if it is good.
fn check_manifest(folder: &Path, keys: &GatewayKeys, findings: &mut Findings) -> anyhow::Result<Option<Manifest>> {
    let manifest = files::read(&folder.join(MANIFEST)).context("the package has no manifest that can be read")?;
    let signature = files::read(&folder.join(SIGNATURE)).context("the package has no signature that can be read")?;
    let text_of = |fault: PackageFault| fault.to_string();
    let key = Detached::parse(&signature).and_then(|signature| {
        let key = signature.key(keys.all())?;
        let text = format!("{} key {} is the one the signature names", key.suite(), short(key.key_id()));
        Ok((text, (signature, key)))
    });
    let Some((signature, key)) = findings.judge("key", key.map_err(text_of)) else { return Ok(None) };
    let verified = signature.verify(key, &manifest);
    let text = format!("{MANIFEST} is, byte for byte, what that key signed");
    let verified = verified.map(|()| (text, ())).map_err(text_of);
    if findings.judge("signature", verified).is_none() {
        return Ok(None);
    }
    let read = Manifest::read(&manifest).map_err(text_of);
    let text = format!("{} bytes in canonical form, SHA-256 {}", manifest.len(), sha256(&manifest));
    Ok(findings.judge("manifest", read.map(|read| (text, read))))
}

/// Checks a data file: its presence, size, digest and records.
fn check_file(folder: &Path, file: &DataFile, findings: &mut Findings) {
    let name = &file.name;
    let bytes = read_data(&folder.join(name), file).map(|bytes| {
        let text = format!("{name}: {} bytes, with the SHA-256 of the manifest", bytes.len());
        (text, bytes)
    });
    let Some(bytes) = findings.judge("data", bytes) else {
        return findings.skipped("records", format!("{name}: not counted: it is not the file that the manifest lists"));
    };
    let counted = file.check_records(&bytes).map_err(|fault| fault.to_string());
    let text = format!("{name}: {} records, as many as the manifest lists", file.records);
    findings.judge("records", counted.map(|()| (text, ())));
}

/// Reads a data file. One of another size than the manifest lists is not read, so that memory use is bounded.
fn read_data(path: &Path, file: &DataFile) -> Result<Vec<u8>, String> {
    let name = &file.name;
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{name}: the manifest lists it, and it is missing"),
        _ => format!("{name} cannot be read: {error}"),
    };
    // Links are not followed: one in the package could point at any file of this machine.
    let metadata = fs::symlink_metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(format!("{name}: it is not a regular file"));
    }
    let text_of = |fault: PackageFault| fault.to_string();
    file.check_size(usize::try_from(metadata.len()).unwrap_or(usize::MAX)).map_err(text_of)?;
    let bytes = fs::read(path).map_err(unreadable)?;
    file.check_bytes(&bytes).map_err(text_of)?;
    Ok(bytes)
}

/// Checks that the folder contains only what the manifest lists.
fn check_folder(folder: &Path, manifest: &Manifest, findings: &mut Findings) -> anyhow::Result<()> {
    let mut named: BTreeSet<OsString> = manifest.files.iter().map(|file| OsString::from(&file.name)).collect();
    named.extend([MANIFEST, SIGNATURE].map(OsString::from));
    let mut others = BTreeSet::new();
    let unreadable = || format!("{} cannot be listed", folder.display());
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let name = entry.with_context(unreadable)?.file_name();
        if !named.contains(&name) {
            // Escaped, because the name was chosen by an unknown author.
            others.insert(format!("{:?}", name.to_string_lossy()));
        }
    }
    let others: Vec<String> = others.into_iter().collect();
    match others.as_slice() {
        [] => findings
            .good("folder", "it contains only the manifest, its signature and the files that the manifest lists"),
        some => findings.wrong("folder", format!("it contains unsigned files: {}", some.join(", "))),
    }
    Ok(())
}
