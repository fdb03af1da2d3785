//! Signals to child processes, without a `kill` program: a minimal system has none.

/// Sends a signal by its name: `HUP`, `INT`, `TERM`, `KILL`, `STOP`, `CONT`.
#[expect(unsafe_code, reason = "libc offers no safe call")]
pub fn signal(pid: u32, name: &str) {
    let number = match name {
        "HUP" => libc::SIGHUP,
        "INT" => libc::SIGINT,
        "TERM" => libc::SIGTERM,
        "KILL" => libc::SIGKILL,
        "STOP" => libc::SIGSTOP,
        "CONT" => libc::SIGCONT,
        _ => panic!("{name:?} is not a signal that the tests send"),
    };
    let process = libc::pid_t::try_from(pid).expect("process ids are positive");
    // 0 would address the process group of the tests.
    assert!(process > 0, "{pid} is not the id of one process");
    // SAFETY: kill(2) takes two integers and touches no memory of this process.
    let result = unsafe { libc::kill(process, number) };
    assert_eq!(result, 0, "SIG{name} to process {pid}: {}", std::io::Error::last_os_error());
}
