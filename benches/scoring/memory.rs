//! How much memory a process has taken at most, as Linux tells it.

/// The greatest resident size since the start, or since it was forgotten, in megabytes.
pub(crate) fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Begins to measure anew.
pub(crate) fn forget_peak() {
    // Without the right to do so the figure is of the whole process, which is no less.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
