//! Networks of their own for nodes, between which the kernel loses packets, and whose cables can be pulled.
//!
//! Each node is in a network namespace, all on one bridge. It takes root, and a kernel that lets it; where
//! that is not given, this says so and there is none.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// Some namespaces, which go when this goes.
#[derive(Debug)]
pub struct Namespaces {
    /// What all names begin with.
    prefix: String,
    network: String,
    count: usize,
}

impl Namespaces {
    /// So many, connected. With `HILUM_TEST_ALL` set, as in `.ci/run`, the programs must be there.
    pub fn of(count: usize) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = std::process::id() + NEXT.fetch_add(1, Ordering::Relaxed);
        let namespaces = Self {
            // Names of devices are short.
            prefix: format!("hi{}", number % 1_000_000),
            network: format!("10.{}.{}", 80 + number / 250 % 100, number % 250),
            count,
        };
        for program in ["ip", "tc", "nft"] {
            if Command::new(program).arg("-V").output().is_err() {
                assert!(
                    std::env::var_os("HILUM_TEST_ALL").is_none(),
                    "{program} is not installed, and HILUM_TEST_ALL asks for every test"
                );
                eprintln!("SKIPPED, because {program} (iproute2, nftables) is not installed");
                return None;
            }
        }
        let bridge = namespaces.bridge();
        let made = run(&format!("ip link add {bridge} type bridge"));
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            eprintln!("SKIPPED, because no network can be made here (root?): {said}");
            return None;
        }
        must(&format!("ip link set {bridge} up"));
        for number in 0..count {
            let (name, cable) = (namespaces.name(number), namespaces.cable(number));
            let address = namespaces.address(number);
            let inside = format!("ip -n {name}");
            let added = run(&format!("ip netns add {name}"));
            if !added.status.success() {
                let said = String::from_utf8_lossy(&added.stderr);
                eprintln!("SKIPPED, because no network namespace can be made here: {said}");
                return None;
            }
            must(&format!(
                "ip link add {cable} type veth peer name eth0 netns {name}"
            ));
            must(&format!("ip link set {cable} master {bridge} up"));
            must(&format!("{inside} link set lo up"));
            must(&format!("{inside} addr add {address}/24 dev eth0"));
            must(&format!("{inside} link set eth0 up"));
        }
        Some(namespaces)
    }

    /// What one of them is called.
    pub fn name(&self, number: usize) -> String {
        format!("{}n{number}", self.prefix)
    }

    /// Its address in the network of all.
    pub fn address(&self, number: usize) -> String {
        format!("{}.{}", self.network, 11 + number)
    }

    fn bridge(&self) -> String {
        format!("{}br", self.prefix)
    }

    fn cable(&self, number: usize) -> String {
        format!("{}v{number}", self.prefix)
    }

    /// Pulls the cable of one of them: nothing arrives, and nobody is told.
    pub fn cut(&self, number: usize) {
        must(&format!("ip link set {} down", self.cable(number)));
    }

    /// Puts it in again.
    pub fn mend(&self, number: usize) {
        must(&format!("ip link set {} up", self.cable(number)));
    }

    /// From now on, one of a hundred packets is lost so many times on the way to and from one of them.
    pub fn lose(&self, number: usize, of_hundred: u32) {
        let nft = format!("ip netns exec {} nft", self.name(number));
        must(&format!("{nft} add table ip loss"));
        for hook in ["input", "output"] {
            must(&format!(
                "{nft} add chain ip loss {hook} {{ type filter hook {hook} priority 0 ; }}"
            ));
            must(&format!(
                "{nft} add rule ip loss {hook} oifname != lo iifname != lo numgen random mod 100 < {of_hundred} drop"
            ));
        }
    }

    /// No packets are lost any more.
    pub fn lose_nothing(&self, number: usize) {
        let name = self.name(number);
        must(&format!("ip netns exec {name} nft delete table ip loss"));
    }

    /// What one of them sends goes with so many bits a second.
    pub fn throttle(&self, number: usize, megabits: u32) {
        let name = self.name(number);
        must(&format!(
            "tc -n {name} qdisc replace dev eth0 root tbf rate {megabits}mbit burst 64k latency 100ms"
        ));
    }

    /// What one of them sends takes so much longer. Not every kernel can do that: says whether it does.
    pub fn delay(&self, number: usize, milliseconds: u32) -> bool {
        let name = self.name(number);
        let done = run(&format!(
            "tc -n {name} qdisc replace dev eth0 root netem delay {milliseconds}ms"
        ));
        done.status.success()
    }

    /// What one of them sends goes as it can.
    pub fn hurry(&self, number: usize) {
        must(&format!(
            "tc -n {} qdisc del dev eth0 root",
            self.name(number)
        ));
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for number in 0..self.count {
            // What was not made cannot be removed.
            run(&format!("ip netns del {}", self.name(number)));
            run(&format!("ip link del {}", self.cable(number)));
        }
        run(&format!("ip link del {}", self.bridge()));
    }
}

fn run(line: &str) -> Output {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    let output = command.args(words).output();
    output.expect("the program can be run")
}

fn must(line: &str) {
    let output = run(line);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
}
