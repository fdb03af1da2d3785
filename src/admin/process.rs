//! Resource usage of this process, from `/proc`; unknown on systems without it.

use std::fs;

/// Unit of times in `/proc/self/stat` (`USER_HZ`, which is 100 on all architectures of Linux).
const TICKS_PER_SECOND: f64 = 100.0;

/// Resident memory.
pub fn resident_bytes() -> Option<u64> {
    // Without /proc the metric is left out.
    resident_of(&fs::read_to_string("/proc/self/status").ok()?)
}

/// CPU time of all threads.
pub fn cpu_seconds() -> Option<f64> {
    cpu_of(&fs::read_to_string("/proc/self/stat").ok()?)
}

pub fn open_files() -> Option<usize> {
    // Reading the folder opens one more.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1))
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

fn cpu_of(stat: &str) -> Option<f64> {
    // The name in parentheses may contain spaces and parentheses. User time is the 14th field, system time the 15th.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) as f64 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_files_of_proc() {
        assert_eq!(resident_of("Name:\tx\nVmRSS:\t   12345 kB\nRssAnon:\t1 kB\n"), Some(12_641_280));
        assert_eq!(resident_of("Name:\tx\n"), None);
        let stat = "7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 11 12";
        assert_eq!(cpu_of(stat), Some(3.0));
        assert_eq!(cpu_of("7 (a) S 1"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn reads_this_process() {
        assert!(resident_bytes().unwrap() > 1_000_000);
        assert!(cpu_seconds().unwrap() >= 0.0);
        assert!(open_files().unwrap() > 2);
    }
}
