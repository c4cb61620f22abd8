//! README.md, "A scheme of your own": its commands work as they are pasted, in an empty directory.

use std::{
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

#[test]
fn the_commands_of_a_scheme_of_your_own_work_as_pasted_in_an_empty_directory() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("## A scheme of your own").nth(1).unwrap().split("\n## ").next().unwrap();
    let commands: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(commands.len() > 12, "{commands:?}");
    let directory = tempfile::tempdir().unwrap();
    // The program is found by its name; the directory of the commands is empty.
    let programs = directory.path().join("bin");
    std::fs::create_dir(&programs).unwrap();
    symlink(env!("CARGO_BIN_EXE_medcredit"), programs.join("medcredit")).unwrap();
    let work = directory.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let pasted = Command::new("bash")
        .args(["--norc", "--noprofile", "-e", "-c", &commands.join("\n")])
        .current_dir(&work)
        .env("PATH", format!("{}:{}", programs.display(), std::env::var("PATH").unwrap()))
        .env_remove("MEDCREDIT_CONFIG")
        .env("USER", "tester")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&pasted.stdout), String::from_utf8_lossy(&pasted.stderr));
    assert!(pasted.status.success(), "{said}");
    for part in ["our-pharmacy", "subjects agree", "is in force"] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    for file in ["models/our-pharmacy.toml", "results.xlsx", "our-pharmacy.html"] {
        assert!(work.join(file).exists(), "{file}");
    }
}
