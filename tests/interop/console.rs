//! The console in a browser: Chromium over a demonstration, with axe-core on every page, in two widths and both languages.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::demo::Demonstration;

/// The packages from npm, pinned: a newer rule of axe-core must not fail a build by itself.
const PACKAGES: [&str; 2] = ["playwright-core@1.65.1", "axe-core@4.14.1"];

/// A folder with the packages.
fn node_modules() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node-console");
    let (mark, wanted) = (place.join("packages"), PACKAGES.join("\n"));
    if std::fs::read_to_string(&mark).ok().as_deref() != Some(&wanted) {
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("package.json"), "{\"private\":true}").unwrap();
        let npm = Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"])
            .args(PACKAGES)
            .current_dir(&place)
            .status();
        assert!(npm.expect("npm is installed (Debian package npm)").success(), "npm could not install {PACKAGES:?}");
        std::fs::write(&mark, wanted).unwrap();
    }
    place
}

/// An administrator, with eyes and a keyboard.
#[test]
fn every_page_passes_axe_and_a_day_of_acts_works_by_keyboard() {
    let demo = Demonstration::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/console.mjs");
    let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let browser = browser.into_iter().find(|path| Path::new(path).exists());
    let run = Command::new("node")
        .arg(script)
        .arg(demo.path("demo.json"))
        .arg(browser.expect("chromium is installed (Debian package chromium)"))
        .current_dir(node_modules())
        .output()
        .expect("node is installed (Debian package nodejs)");
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}\n{err}");
}
