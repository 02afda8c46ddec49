//! Keys that a program wraps and unwraps: a key management system, a card, a module.
//!
//! It is run as `PROGRAM ARGUMENTS… wrap|unwrap KEYID`, gets the key or what it wrapped on standard
//! input, and writes the other to standard output. It is run once for each key of the ring in a
//! process, not once for each object: data keys are wrapped here, with what it has unwrapped.

use std::fmt;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::key::{KeyId, forget};
use super::ring::KeyError;

/// Bytes that a program may write.
const MOST: u64 = 64 * 1024;
/// Bytes of its complaints that come to the log.
const COMPLAINTS: usize = 4 * 1024;
/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(5);

/// A program that wraps and unwraps keys.
#[derive(Clone)]
pub struct KeyCommand {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// It is ended when it takes longer.
    pub limit: Duration,
}

impl fmt::Debug for KeyCommand {
    /// Arguments may be secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("KeyCommand")
            .field(&self.command.first())
            .finish_non_exhaustive()
    }
}

impl KeyCommand {
    pub(super) fn wrap(&self, key: KeyId, secret: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.run("wrap", key, secret)
    }

    pub(super) fn unwrap(&self, key: KeyId, wrapped: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.run("unwrap", key, wrapped)
    }

    fn run(&self, verb: &'static str, key: KeyId, input: &[u8]) -> Result<Vec<u8>, KeyError> {
        let failed = |why: String| KeyError::Command { verb, key, why };
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| failed("no program is given".to_owned()))?;
        let started = Command::new(program)
            .args(arguments)
            .arg(verb)
            .arg(key.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.map_err(|error| failed(format!("{program}: {error}")))?;
        let said = child.stdout.take().map(reader);
        let complained = child.stderr.take().map(reader);
        if let Some(mut stdin) = child.stdin.take() {
            // A pipe takes this much without a reader. If it does not want it, its answer tells.
            let _ = stdin.write_all(input);
        }
        let ended = self.wait(&mut child);
        if ended.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // What it has started itself may hold its pipes open.
        let until = Instant::now() + PAUSE * 100;
        let taken = |thread: Option<JoinHandle<Vec<u8>>>| {
            while !thread.as_ref()?.is_finished() && Instant::now() < until {
                thread::sleep(PAUSE);
            }
            thread.filter(JoinHandle::is_finished)?.join().ok()
        };
        let complaints = taken(complained).unwrap_or_default();
        for line in String::from_utf8_lossy(&complaints[..complaints.len().min(COMPLAINTS)]).lines()
        {
            tracing::warn!(program, verb, %key, line, "the key command says");
        }
        ended.map_err(failed)?;
        let output = taken(said).unwrap_or_default();
        match output.is_empty() || output.len() as u64 > MOST {
            true => Err(failed("its answer is empty or far too long".to_owned())),
            false => Ok(output),
        }
    }

    fn wait(&self, child: &mut Child) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("it ended with {status}")),
                Ok(None) if begun.elapsed() > self.limit => {
                    return Err(format!("it took longer than {:?}", self.limit));
                }
                Ok(None) => thread::sleep(PAUSE),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

fn reader(from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What cannot be read any more is not there.
        let _ = from.take(MOST + 1).read_to_end(&mut bytes);
        bytes
    })
}

/// The key in what a program gave back, which is forgotten.
pub(super) fn exactly<const N: usize>(mut bytes: Vec<u8>) -> Option<[u8; N]> {
    let key = bytes.as_slice().try_into().ok();
    forget(&mut bytes);
    key
}
