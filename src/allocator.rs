//! The allocator of the program's own memory. librdkafka's C code uses the C library's.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, but large allocations have pages of their own, which return to the system when they are freed.
///
/// Batches grow in turns and live in several threads. In the C library's heaps the open batches of 200 destinations left 18 MB of holes,
/// and batches of 9.5 MB left 30 MB. The C library has a setting for this, which would also apply to librdkafka: its buffers of 128 kB
/// to 1 MB are allocated for each fetch, and pages of their own for each doubled the cost of a record of 10 kB.
pub struct PageAllocator;

/// Size from which an allocation has pages of its own. The batches of 200 destinations have about 140 kB each.
const OWN_PAGES_FROM: usize = 64 << 10;

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "allocators are unsafe")]
// SAFETY: an allocation's size alone decides where it comes from, and `Layout` carries it to each call. Pages are aligned to 4 kB at
// least; larger alignments are the system's.
unsafe impl GlobalAlloc for PageAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if has_own_pages(layout) { pages::map(layout.size()) } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if has_own_pages(layout) {
            unsafe { pages::unmap(memory, layout.size()) }
        } else {
            unsafe { System.dealloc(memory, layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // New pages are zero.
        if has_own_pages(layout) { pages::map(layout.size()) } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller guarantees that the new size is valid for this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (has_own_pages(layout), has_own_pages(new)) {
            (true, true) => unsafe { pages::remap(memory, layout.size(), size) },
            (false, false) => unsafe { System.realloc(memory, layout, size) },
            _ => unsafe {
                let moved = self.alloc(new);
                if !moved.is_null() {
                    std::ptr::copy_nonoverlapping(memory, moved, size.min(layout.size()));
                    self.dealloc(memory, layout);
                }
                moved
            },
        }
    }
}

/// Other systems have other allocators, which return large allocations by themselves.
#[cfg(not(target_os = "linux"))]
#[expect(unsafe_code, reason = "allocators are unsafe")]
// SAFETY: everything is the system's.
unsafe impl GlobalAlloc for PageAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

#[cfg(target_os = "linux")]
fn has_own_pages(layout: Layout) -> bool {
    layout.size() >= OWN_PAGES_FROM && layout.align() <= 4096
}

/// Anonymous memory. The kernel rounds sizes up to pages.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "system calls")]
mod pages {
    use std::ptr::null_mut;

    pub fn map(size: usize) -> *mut u8 {
        // SAFETY: the call uses no memory of the program.
        let memory = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(null_mut(), size, protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
        };
        null_if_failed(memory)
    }

    /// # Safety
    /// `memory` is of [`map`] or [`remap`] with this size.
    pub unsafe fn unmap(memory: *mut u8, size: usize) {
        // SAFETY: by the caller's promise. It fails only for addresses that are not mapped.
        unsafe { libc::munmap(memory.cast(), size) };
    }

    /// # Safety
    /// The same as for [`unmap`]. The memory stays unchanged if the result is null.
    pub unsafe fn remap(memory: *mut u8, size: usize, new_size: usize) -> *mut u8 {
        // SAFETY: by the caller's promise.
        null_if_failed(unsafe { libc::mremap(memory.cast(), size, new_size, libc::MREMAP_MAYMOVE) })
    }

    fn null_if_failed(memory: *mut libc::c_void) -> *mut u8 {
        if memory == libc::MAP_FAILED { null_mut() } else { memory.cast() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 9] =
        [1, 100, OWN_PAGES_FROM - 1, OWN_PAGES_FROM, OWN_PAGES_FROM + 1, 200_000, 9_500_000, 70_000, 10];

    #[test]
    #[expect(unsafe_code, reason = "allocators are unsafe")]
    fn content_stays_across_each_change_of_size() {
        for from in SIZES {
            for to in SIZES {
                for align in [1, 8, 4096, 8192] {
                    let [layout, new] = [from, to].map(|size| Layout::from_size_align(size, align).unwrap());
                    // SAFETY: each layout is the one of its memory.
                    unsafe {
                        let memory = PageAllocator.alloc_zeroed(layout);
                        assert!((memory as usize).is_multiple_of(align) && !memory.is_null());
                        let bytes = std::slice::from_raw_parts_mut(memory, from);
                        assert!(bytes.iter().all(|byte| *byte == 0));
                        bytes.iter_mut().zip((0..=250_u8).cycle()).for_each(|(byte, value)| *byte = value);
                        let memory = PageAllocator.realloc(memory, layout, to);
                        assert!((memory as usize).is_multiple_of(align) && !memory.is_null());
                        let kept = std::slice::from_raw_parts(memory, from.min(to));
                        assert!(kept.iter().zip((0..=250_u8).cycle()).all(|(byte, value)| *byte == value));
                        PageAllocator.dealloc(memory, new);
                    }
                }
            }
        }
    }
}
