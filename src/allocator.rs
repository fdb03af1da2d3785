//! Settings of the C library's allocator.

/// Size from which an allocation gets pages of its own, which return to the system when it is freed. The batches of 200 destinations have
/// about 140 kB each: in the heaps of several threads they left 18 MB of holes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_PAGES_FROM: libc::c_int = 64 << 10;

/// Free memory at the end of a heap that is kept for later allocations.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_FREE: libc::c_int = 2 << 20;

/// Makes freed batches return their memory. By default, glibc raises the size from which allocations have pages of their own to the largest
/// that was freed, up to 32 MB: batches of 9.5 MB then leave 30 MB of holes in the heaps of several threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the standard library has no call for it")]
pub fn set_up() {
    // SAFETY: `mallopt` takes two numbers, and is called before the program has other threads. It refuses what it does not know.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_PAGES_FROM);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_FREE);
    }
}

/// Other C libraries return large allocations by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn set_up() {}
