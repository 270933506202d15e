//! One run: a fresh server, its highest rate, its rest, and its latency at half of that rate.

use crate::common::event::Event;
use crate::common::machine;
use crate::load::{Load, Measured, Pace};
use crate::options::{Mode, Options, Server, ServerKind};
use crate::process::{Lag, Process};
use crate::response::Response;
use crate::{events, stop};
use anyhow::{Context, Result, anyhow, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Load before the measured one: connections, allocators and files reach their working size.
const WARM_UP: Duration = Duration::from_secs(1);
/// A server may listen before it takes writes; it says 503 until then.
const WRITES_LIMIT: Duration = Duration::from_secs(30);

/// The figures of one run.
pub struct Run {
    pub round: u32,
    pub mode: Mode,
    pub server: String,
    pub is_floor: bool,
    /// Highest rate: every connection always busy.
    pub events_per_s: f64,
    pub max_p50_ms: f64,
    pub max_p99_ms: f64,
    /// Latency of a request at half of the highest rate, counted from when it was due.
    pub half_events_per_s: f64,
    pub half_p50_ms: f64,
    pub half_p99_ms: f64,
    /// CPU time per 1,000 events, the work after the last answer included.
    pub server_cpu_s_per_1000: f64,
    /// Share of one core that the generator used at the highest rate.
    pub generator_cores: f64,
    /// Cores that neither server nor generator used at the highest rate: other programs. They make a run doubtful.
    pub other_cores: f64,
    /// How long the server went on working after the last answer.
    pub catch_up_s: f64,
    /// How far index and views were behind in the middle of the highest rate and at its last answer; none for the floor.
    pub lag: Option<[Lag; 2]>,
    pub peak_memory_bytes: u64,
    pub disk_bytes_per_event: f64,
    pub errors: u64,
    pub first_error: Option<String>,
}

pub fn measure(options: &Options, event: &Event, round: u32, mode: Mode, server: &Server) -> Result<Run> {
    let process = Process::start(server, &options.dir)?;
    let mut next_event = 0;
    if let ServerKind::Daybook { .. } = server.kind {
        set_scene(options, &process)?;
    }
    first_write(&process, event, &mut next_event)?;
    let is_floor = matches!(server.kind, ServerKind::Floor { .. });
    let outcome = load(options, event, mode, &process, is_floor, &mut next_event);
    let Outcome { warm_up, max, half, cpu_s, other_cores, catch_up, lag } =
        outcome.with_context(|| format!("the server's last messages:\n{}", process.messages()))?;

    let events = warm_up.events + max.events + half.events + 1;
    Ok(Run {
        round,
        mode,
        server: server.label.clone(),
        is_floor,
        events_per_s: max.rate(),
        max_p50_ms: max.latency_ms(0.5),
        max_p99_ms: max.latency_ms(0.99),
        half_events_per_s: half.rate(),
        half_p50_ms: half.latency_ms(0.5),
        half_p99_ms: half.latency_ms(0.99),
        server_cpu_s_per_1000: cpu_s * 1_000.0 / max.events as f64,
        generator_cores: max.generator_cpu_s / max.seconds,
        other_cores,
        catch_up_s: catch_up.as_secs_f64(),
        lag,
        peak_memory_bytes: process.peak_memory_bytes()?,
        disk_bytes_per_event: process.disk_bytes() as f64 / events as f64,
        errors: warm_up.errors + max.errors + half.errors,
        first_error: [warm_up.first_error, max.first_error, half.first_error].into_iter().flatten().next(),
    })
}

struct Outcome {
    warm_up: Measured,
    max: Measured,
    half: Measured,
    /// From the beginning of the measured load to the end of the work that it caused.
    cpu_s: f64,
    other_cores: f64,
    catch_up: Duration,
    lag: Option<[Lag; 2]>,
}

fn load(
    options: &Options,
    event: &Event,
    mode: Mode,
    process: &Process,
    is_floor: bool,
    next: &mut u64,
) -> Result<Outcome> {
    let mut load = Load::connect(process.address, &process.token, mode, event, next)?;
    let warm_up = load.run(Pace::Closed, WARM_UP)?;
    let (cpu_before_s, busy_before_s) = (process.cpu_s()?, machine::busy_cpu_s()?);
    // Whether it grows is seen from two looks.
    let (max, halfway) = std::thread::scope(|scope| {
        let halfway = scope.spawn(|| {
            std::thread::sleep(options.measured() / 2);
            if is_floor { Ok(None) } else { process.lag().map(Some) }
        });
        let max = load.run(Pace::Closed, options.measured());
        (max, halfway.join())
    });
    let max = max?;
    let halfway = halfway.map_err(|_| anyhow!("looking at the lag panicked"))??;
    let lag = match halfway {
        Some(halfway) => Some([halfway, process.lag()?]),
        None => None,
    };
    let busy_s = machine::busy_cpu_s()? - busy_before_s;
    let other_cpu_s = busy_s - (process.cpu_s()? - cpu_before_s) - max.generator_cpu_s;
    let other_cores = (other_cpu_s / max.seconds).max(0.0);
    drop(load);
    let catch_up = process.catch_up()?;
    let cpu_s = process.cpu_s()? - cpu_before_s;

    // New connections: servers close those that idle.
    let mut load = Load::connect(process.address, &process.token, mode, event, next)?;
    // At least one, so that a server that refused everything is reported like any other.
    let requests_per_s = (max.rate() / 2.0 / mode.events_per_request() as f64).max(1.0);
    let half = load.run(Pace::Open { requests_per_s }, options.measured())?;
    Ok(Outcome { warm_up, max, half, cpu_s, other_cores, catch_up, lag })
}

/// Posts what the ledger should know before the load (see `--scene`).
fn set_scene(options: &Options, process: &Process) -> Result<()> {
    let Some(path) = &options.scene else { return Ok(()) };
    let scene = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    for (line, event) in scene.lines().enumerate().filter(|(_, event)| !event.trim().is_empty()) {
        let request = events::request_of(event, &process.address.to_string(), &process.token);
        post(process, &request).with_context(|| format!("{}, line {}", path.display(), line + 1))?;
    }
    Ok(())
}

/// Posts one event of the load, so that a refusal is told in the server's words before any measurement.
fn first_write(process: &Process, event: &Event, next_event: &mut u64) -> Result<()> {
    let mut request = events::request(event, Mode::Single, &process.address.to_string(), &process.token);
    request.number(event, *next_event);
    *next_event += 1;
    post(process, request.bytes()).context("the first event")
}

/// Sends one request, again and again while the server does not take writes yet.
fn post(process: &Process, request: &[u8]) -> Result<()> {
    let give_up = Instant::now() + WRITES_LIMIT;
    loop {
        let mut stream = TcpStream::connect(process.address).context("connect")?;
        stream.set_read_timeout(Some(WRITES_LIMIT))?;
        stream.write_all(request)?;
        let mut response = Response::default();
        let mut buffer = [0; 4096];
        let status = loop {
            match stream.read(&mut buffer).context("no answer")? {
                0 => bail!("the server closed the connection"),
                count => {
                    if let Some(status) = response.feed(&buffer[..count])? {
                        break status;
                    }
                }
            }
        };
        match status {
            201 => return Ok(()),
            503 if Instant::now() < give_up => std::thread::sleep(Duration::from_millis(50)),
            _ => bail!("refused: {status} {}\n{}", response.refusal(), process.messages()),
        }
        stop::check()?;
    }
}
