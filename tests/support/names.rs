//! Host names whose addresses a test can change.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;

static ADDRESSES: Mutex<BTreeMap<String, IpAddr>> = Mutex::new(BTreeMap::new());

/// Sets the address of a name.
pub fn set_address(name: &str, address: IpAddr) {
    ADDRESSES.lock().unwrap().insert(name.to_owned(), address);
}

/// The bridge's resolver.
pub fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    let address = ADDRESSES.lock().unwrap().get(name).copied();
    address.map(|address| vec![address]).ok_or_else(|| io::Error::other("no such name in this test"))
}
