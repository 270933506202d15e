//! The machine on which a figure was measured, without which it means little, and what `/proc` tells of a process.

use anyhow::{Context, Result};
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

/// `/proc` counts CPU time in ticks of USER_HZ, which is 100 on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;
/// Syncs to try, and how much is appended before each: about what a group commit of a busy ledger writes.
const SYNCS: usize = 50;
const SYNC_BYTES: usize = 64 * 1024;

pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_bytes: u64,
    pub kernel: String,
    pub date: String,
    pub load_average: String,
    pub file_system: String,
    /// Milliseconds for the median `fdatasync` after an append of 64 KiB.
    pub sync_ms: f64,
}

impl Machine {
    pub fn look(dir: &Path) -> Result<Self> {
        let line = |text: &str, name: &str| {
            text.lines()
                .find(|line| line.starts_with(name))
                .and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
        };
        let memory = read("/proc/meminfo")?;
        Ok(Self {
            cpu: line(&read("/proc/cpuinfo")?, "model name")
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().context("cores")?.get(),
            memory_bytes: line(&memory, "MemTotal").map_or(0, |value| kib_to_bytes(&value)),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            date: chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string(),
            load_average: read("/proc/loadavg")?.split(' ').next().unwrap_or_default().to_owned(),
            file_system: file_system(dir)?,
            sync_ms: sync_ms(dir)?,
        })
    }

    /// The lines that stand above every table.
    pub fn lines(&self) -> String {
        format!(
            "machine      {} cores, {}, {:.1} GiB, Linux {}\n\
             date         {}, load average {} before the first run\n\
             data         {}, {:.2} ms for 64 KiB and fdatasync\n",
            self.cores,
            self.cpu,
            gib(self.memory_bytes),
            self.kernel,
            self.date,
            self.load_average,
            self.file_system,
            self.sync_ms
        )
    }

    pub fn print(&self) {
        print!("{}", self.lines());
        if self.file_system.starts_with("tmpfs") {
            println!("WARNING      data is kept in memory, where a sync is free: choose another --dir");
        }
    }
}

/// CPU seconds, user and system, that this process has used.
pub fn own_cpu_s() -> Result<f64> {
    cpu_s("self")
}

/// CPU seconds, user and system, that a process has used (`proc_pid_stat(5)`, fields 14 and 15).
pub fn cpu_s(pid: &str) -> Result<f64> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in parentheses and may hold anything: count from its end.
    let (_, fields) = stat.rsplit_once(')').context("an unreadable stat")?;
    let ticks: f64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_S)
}

/// CPU seconds that the whole machine has been busy, or was kept from us by its host (`proc_stat(5)`).
pub fn busy_cpu_s() -> Result<f64> {
    let stat = read("/proc/stat")?;
    let total = stat.lines().next().context("an empty stat")?;
    let ticks: Vec<f64> = total.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; what follows is counted in user already.
    let busy = |at: &usize| ticks.get(*at).copied().unwrap_or(0.0);
    Ok([0, 1, 2, 5, 6, 7].iter().map(busy).sum::<f64>() / TICKS_PER_S)
}

/// The most memory that a process has had resident.
pub fn peak_memory_bytes(pid: u32) -> Result<u64> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(kib_to_bytes(peak))
}

/// Makes a process forget the most memory that it has had resident (`proc_pid_clear_refs(5)`). A kernel without it
/// leaves the old peak, which is then told too high and never too low.
pub fn forget_peak_memory(pid: u32) {
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// The memory that a process has resident now.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(kib_to_bytes(resident))
}

/// Disk space allocated to a folder and everything in it. What vanishes meanwhile counts as nothing.
pub fn disk_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// Reads all files of a folder, so that the system has them in memory if it can.
pub fn read_all(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path).with_context(|| path.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            read_all(&entry.path())?;
        } else {
            std::io::copy(&mut fs::File::open(entry.path())?, &mut std::io::sink())?;
        }
    }
    Ok(())
}

/// The kind of file system that holds `dir`, and where it is mounted.
fn file_system(dir: &Path) -> Result<String> {
    let dir = dir.canonicalize().with_context(|| format!("{}", dir.display()))?;
    let mounts = read("/proc/self/mounts")?;
    let holding = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(mount, _)| dir.starts_with(mount))
        .max_by_key(|(mount, _)| mount.len());
    Ok(holding.map_or_else(|| "unknown".to_owned(), |(mount, kind)| format!("{kind} on {mount}")))
}

fn sync_ms(dir: &Path) -> Result<f64> {
    let mut file = tempfile::tempfile_in(dir).context("a file to sync")?;
    let mut times_ms = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[7; SYNC_BYTES])?;
        file.sync_data()?;
        times_ms.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    times_ms.sort_by(f64::total_cmp);
    Ok(times_ms[SYNCS / 2])
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.to_owned())
}

fn kib_to_bytes(value: &str) -> u64 {
    value.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1_024
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}
