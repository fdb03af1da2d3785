//! A server in front of the receiver that breaks connections in ways that no HTTP server does, until the fault ends.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No server listens.
    Refuses,
    /// `100 Continue`, and nothing after it.
    Interim,
    /// The connection ends in the middle of the answer's head.
    Resets,
}

pub struct BrokenServer {
    fault: Fault,
    address: SocketAddr,
    receiver: SocketAddr,
    is_well: Arc<AtomicBool>,
}

impl BrokenServer {
    pub fn start(fault: Fault, receiver: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let front = Self { fault, address, receiver, is_well: Arc::default() };
        if fault != Fault::Refuses {
            front.serve(listener);
        }
        front
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every connection reaches the receiver.
    pub fn end_fault(&self) {
        self.is_well.store(true, Relaxed);
        if self.fault == Fault::Refuses {
            self.serve(TcpListener::bind(self.address).unwrap());
        }
    }

    fn serve(&self, listener: TcpListener) {
        let (fault, receiver, is_well) = (self.fault, self.receiver, Arc::clone(&self.is_well));
        // The thread ends with the test process.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, is_well) = (client.unwrap(), is_well.load(Relaxed));
                thread::spawn(
                    move || if is_well { pass(client, receiver) } else { break_off(client, fault) },
                );
            }
        });
    }
}

fn break_off(mut client: TcpStream, fault: Fault) -> io::Result<()> {
    let _request = client.read(&mut [0; 4096])?;
    if fault == Fault::Interim {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        // Waits until the client gives up.
        return io::copy(&mut client, &mut io::sink()).map(|_| ());
    }
    client.write_all(b"HTTP/1.1 204 No Con")
}

fn pass(client: TcpStream, receiver: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(receiver)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let copied = io::copy(&mut from_client, &mut to_server);
        to_server.shutdown(Shutdown::Write).and(copied)
    });
    let (mut from_server, mut to_client) = (server, client);
    io::copy(&mut from_server, &mut to_client)?;
    to_client.shutdown(Shutdown::Write)
}
