//! Peak memory of the process, as reported by Linux.

/// The peak resident size since the start or the last reset, in megabytes.
pub(crate) fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Resets the peak.
pub(crate) fn forget_peak() {
    // Without permission the peak of the whole process is reported, which is never less.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
