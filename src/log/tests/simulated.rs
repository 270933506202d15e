//! A file system in memory that loses and tears whatever was not synced, by chance that a seed decides.
//!
//! Modelled, after what POSIX leaves open and ext4 and XFS really do:
//! - What a process wrote is seen by all at once (the page cache), and durable only after `sync_data` of that file.
//! - When the power goes, each sector of 512 bytes that was written since the last sync has the contents of any moment
//!   since then: writes are torn, and their sectors arrive in any order. A sector is never torn itself.
//! - The length of a file is that of any moment since its last sync, whatever became of its sectors: it may be ahead of
//!   them (they read as zeros) or behind (they are out of reach). A cut that survived has cut its sectors too.
//! - Names (new files and folders, renames) are durable after `sync_dir` of their folder. Of the changes since then a
//!   prefix survives: one over all folders, as a journal does, or one in each folder. Syncing a file does not make its
//!   name durable, and a name is lost with any folder above it. A rename happens or does not.
//! - After a failed sync any part of what was waiting is durable, and all of it counts as clean: the next sync succeeds
//!   and does nothing. The page cache may keep what was written or forget it.
//!   Of a failed sync of a folder a prefix is durable and the rest waits on.
//! - A process that is killed loses nothing of the page cache, and the power may go at any time after.
//!
//! Not modelled: a sector torn in itself (`spec::layout` says why); a disk whose syncs lie, other than in the tests that
//! show that it would be noticed; rot; reading errors; locks and key files, which stay in a real folder beside.

use super::chance::Chance;
use crate::log::disk::{Disk, File, Mode};
use crate::spec::layout::{HEAD_FILE, Head};
use crate::sync::thread;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SECTOR: usize = 512;

/// What becomes of what was not synced when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Luck {
    /// All of it is lost.
    None,
    /// All of it is there.
    All,
    /// As chance has it.
    Mixed,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    PowerLoss,
    /// The process is killed; the page cache stays.
    Kill,
    /// The next sync fails.
    FailedSync,
    /// The next change that is no sync fails; of a write, some may be done.
    FailedChange,
    /// There is no room for so many changes that need some.
    NoRoom(u64),
}

/// Which syncs are lies: of a file, or of a folder (then the flag is set).
pub type Lie = fn(&Path, bool) -> bool;

/// A change of a file since its last sync.
#[derive(Clone)]
struct Change {
    /// The length after it.
    len: u64,
    /// Whether it cut the file.
    cut: bool,
    /// The sectors that it touched, as they were after it.
    sectors: BTreeMap<u64, [u8; SECTOR]>,
}

#[derive(Clone, Default)]
struct Contents {
    /// What everyone reads.
    seen: Arc<Vec<u8>>,
    /// What is on the disk for certain.
    durable: Arc<Vec<u8>>,
    waiting: Vec<Change>,
}

fn sector(bytes: &[u8], number: u64) -> [u8; SECTOR] {
    let mut sector = [0; SECTOR];
    let start = (number as usize * SECTOR).min(bytes.len());
    let end = (start + SECTOR).min(bytes.len());
    sector[..end - start].copy_from_slice(&bytes[start..end]);
    sector
}

impl Contents {
    fn write(&mut self, bytes: &[u8], at: u64) {
        if bytes.is_empty() {
            return;
        }
        let (start, end) = (at as usize, at as usize + bytes.len());
        let seen = Arc::make_mut(&mut self.seen);
        seen.resize(seen.len().max(end), 0);
        seen[start..end].copy_from_slice(bytes);
        let touched = (start / SECTOR) as u64..=((end - 1) / SECTOR) as u64;
        self.changed(false, touched.map(|number| (number, sector(&self.seen, number))).collect());
    }

    fn set_len(&mut self, len: u64) {
        let before = self.seen.len() as u64;
        Arc::make_mut(&mut self.seen).resize(len as usize, 0);
        let last = before.div_ceil(SECTOR as u64);
        let cut = (len / SECTOR as u64..last).map(|number| (number, sector(&self.seen, number)));
        self.changed(len < before, if len < before { cut.collect() } else { BTreeMap::new() });
    }

    fn changed(&mut self, cut: bool, sectors: BTreeMap<u64, [u8; SECTOR]>) {
        self.waiting.push(Change { len: self.seen.len() as u64, cut, sectors });
    }

    /// Brings some of what waits to the disk; nothing waits afterwards.
    fn settle(&mut self, luck: Luck, chance: &mut Chance) {
        let waiting = std::mem::take(&mut self.waiting);
        let all = waiting.len();
        if all == 0 || luck == Luck::None {
            return;
        }
        let any_from = |low: usize, chance: &mut Chance| match luck {
            Luck::All => all,
            _ => chance.within(low as u64, all as u64) as usize,
        };
        // How many changes the length has seen, and at least the sectors: no sector outlives a cut that survived.
        let of_length = any_from(0, chance);
        let cut = waiting[..of_length].iter().rposition(|change| change.cut).map_or(0, |at| at + 1);
        // Half of the time the sectors arrive in order: a prefix of the changes, whole.
        let in_order = chance.one_in(2).then(|| any_from(cut, chance));
        let mut touched: Vec<u64> =
            waiting.iter().flat_map(|change| change.sectors.keys().copied()).collect();
        touched.sort_unstable();
        touched.dedup();
        let durable = Arc::make_mut(&mut self.durable);
        let before = durable.len() as u64;
        for number in touched {
            let arrived = in_order.unwrap_or_else(|| any_from(cut, chance));
            let newest = waiting[..arrived].iter().rev().find_map(|change| change.sectors.get(&number));
            if let Some(bytes) = newest {
                let start = number as usize * SECTOR;
                durable.resize(durable.len().max(start + SECTOR), 0);
                durable[start..start + SECTOR].copy_from_slice(bytes);
            }
        }
        let len = if of_length == 0 { before } else { waiting[of_length - 1].len };
        durable.resize(len as usize, 0);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Folder(usize),
    File(usize),
}

type Names = BTreeMap<PathBuf, Node>;

/// A change of a folder since its last sync.
#[derive(Clone)]
struct NameChange {
    folder: PathBuf,
    from: Option<PathBuf>,
    to: PathBuf,
    node: Node,
}

impl NameChange {
    fn apply(&self, names: &mut Names) {
        if let Some(from) = &self.from {
            names.remove(from);
        }
        names.insert(self.to.clone(), self.node);
    }
}

#[derive(Clone)]
struct World {
    root: PathBuf,
    chance: Chance,
    lie: Option<Lie>,
    files: Vec<Contents>,
    folders: usize,
    seen: Names,
    durable: Names,
    waiting: Vec<NameChange>,
    /// Counts the processes; none runs between two of them.
    process: u64,
    running: bool,
    /// Changes and syncs so far.
    steps: u64,
    /// What goes wrong, and from which step on.
    plan: Option<(u64, Fault)>,
    /// What went wrong since the process started.
    happened: Option<Fault>,
    /// Every text that was written as the checkpoint: each was signed, and may have been handed out. With it how many
    /// entries were durable then.
    checkpoints: Vec<(Vec<u8>, u64)>,
}

/// What a change or a sync asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A change that needs room.
    Grow,
    /// A change that needs none.
    Change,
    Sync,
}

/// What becomes of a step.
enum Verdict {
    Go,
    /// It is done, but whoever asked does not hear of it.
    DoneUnheard(io::Error),
    /// It is begun, then this.
    Begun(io::Error),
    /// Nothing of it is done.
    Refused(io::Error),
}

fn dead() -> io::Error {
    io::Error::other("this process is dead")
}

impl World {
    fn alive(&self, process: u64) -> io::Result<()> {
        if self.running && self.process == process { Ok(()) } else { Err(dead()) }
    }

    fn step(&mut self, process: u64, step: Step) -> io::Result<Verdict> {
        self.alive(process)?;
        self.steps += 1;
        let Some((_, fault)) = self.plan.filter(|(at, _)| *at <= self.steps) else { return Ok(Verdict::Go) };
        let verdict = match fault {
            Fault::PowerLoss | Fault::Kill => {
                let done = self.chance.one_in(2);
                if done { Verdict::DoneUnheard(dead()) } else { Verdict::Refused(dead()) }
            }
            Fault::FailedSync if step == Step::Sync => Verdict::Begun(io::Error::other("the sync failed")),
            Fault::FailedChange if step != Step::Sync => {
                let error = io::Error::other("the change failed");
                if self.chance.one_in(2) { Verdict::Begun(error) } else { Verdict::Refused(error) }
            }
            Fault::NoRoom(left) if step == Step::Grow => {
                self.plan = (left > 1).then_some((self.steps, Fault::NoRoom(left - 1)));
                self.happened = Some(fault);
                return Ok(Verdict::Begun(io::ErrorKind::StorageFull.into()));
            }
            _ => return Ok(Verdict::Go),
        };
        self.plan = None;
        self.happened = Some(fault);
        Ok(verdict)
    }

    /// The end of a step whose verdict was one of death.
    fn end(&mut self) {
        match self.happened {
            Some(Fault::PowerLoss) if self.running && self.plan.is_none() => self.power_loss(Luck::Mixed),
            Some(Fault::Kill) if self.running => self.running = false,
            _ => {}
        }
    }

    /// How many entries the durable head speaks of.
    fn durable_entries(&self) -> u64 {
        let head = self.durable.iter().find(|(path, _)| path.ends_with(HEAD_FILE));
        match head {
            Some((_, Node::File(file))) => {
                let copies = Head::read_copies(&self.files[*file].durable);
                Head::in_force(&copies).map_or(0, |head| head.size)
            }
            _ => 0,
        }
    }

    fn power_loss(&mut self, luck: Luck) {
        self.running = false;
        let waiting = std::mem::take(&mut self.waiting);
        let surviving = |chance: &mut Chance, all: usize| match luck {
            Luck::None => 0,
            Luck::All => all,
            Luck::Mixed => chance.within(0, all as u64) as usize,
        };
        if self.chance.one_in(2) {
            let journal = surviving(&mut self.chance, waiting.len());
            waiting[..journal].iter().for_each(|change| change.apply(&mut self.durable));
        } else {
            let mut of_folder: BTreeMap<&Path, Vec<&NameChange>> = BTreeMap::new();
            for change in &waiting {
                of_folder.entry(&change.folder).or_default().push(change);
            }
            for changes in of_folder.values() {
                let prefix = surviving(&mut self.chance, changes.len());
                changes[..prefix].iter().for_each(|change| change.apply(&mut self.durable));
            }
        }
        // A name is reached through the folders above it; they come before it in the map's order.
        let mut reached = Names::new();
        for (path, node) in &self.durable {
            let above = path.parent().unwrap_or(path);
            if above == self.root || matches!(reached.get(above), Some(Node::Folder(_))) {
                reached.insert(path.clone(), *node);
            }
        }
        self.durable.clone_from(&reached);
        self.seen = reached;
        for file in &mut self.files {
            file.settle(luck, &mut self.chance);
            file.seen = file.durable.clone();
        }
    }

    fn name(&mut self, from: Option<&Path>, to: &Path, node: Node) {
        let folder = to.parent().unwrap_or(to).to_owned();
        let change = NameChange { folder, from: from.map(Path::to_owned), to: to.to_owned(), node };
        change.apply(&mut self.seen);
        self.waiting.push(change);
    }
}

/// The machine: one disk, and processes one after the other.
pub struct Machine(Mutex<World>);

impl Machine {
    /// An empty disk whose one folder is `root`.
    pub fn new(root: &Path, chance: Chance) -> Arc<Self> {
        Arc::new(Self(Mutex::new(World {
            root: root.to_owned(),
            chance,
            lie: None,
            files: Vec::new(),
            folders: 0,
            seen: Names::new(),
            durable: Names::new(),
            waiting: Vec::new(),
            process: 0,
            running: false,
            steps: 0,
            plan: None,
            happened: None,
            checkpoints: Vec::new(),
        })))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another machine with the same disk.
    pub fn copy(&self, chance: Chance) -> Arc<Self> {
        let mut world = self.world().clone();
        world.chance = chance;
        Arc::new(Self(Mutex::new(world)))
    }

    /// From now on these syncs are lies: they succeed and do nothing.
    pub fn lie(&self, lie: Option<Lie>) {
        self.world().lie = lie;
    }

    /// The disk as a new process sees it; whichever was before is dead.
    pub fn start(self: &Arc<Self>) -> Arc<dyn Disk> {
        let mut world = self.world();
        world.process += 1;
        (world.running, world.plan, world.happened) = (true, None, None);
        Arc::new(Process { machine: self.clone(), number: world.process })
    }

    /// Has something go wrong after so many steps more.
    pub fn plan(&self, after: u64, fault: Fault) {
        let mut world = self.world();
        world.plan = Some((world.steps + after, fault));
    }

    /// What went wrong since the process started.
    pub fn happened(&self) -> Option<Fault> {
        self.world().happened
    }

    /// Whether the process runs.
    pub fn is_running(&self) -> bool {
        self.world().running
    }

    /// Kills the process.
    pub fn kill(&self) {
        self.world().running = false;
    }

    /// The power goes, and comes back.
    pub fn power_loss(&self, luck: Luck) {
        self.world().power_loss(luck);
    }

    /// Every checkpoint that was signed, and how many entries were durable then.
    pub fn checkpoints(&self) -> Vec<(Vec<u8>, u64)> {
        self.world().checkpoints.clone()
    }

    /// How many entries the durable head speaks of.
    pub fn durable_entries(&self) -> u64 {
        self.world().durable_entries()
    }

    /// Nothing goes wrong any more.
    pub fn mend(&self) {
        self.world().plan = None;
    }

    /// Writes what a process would see now under a real folder.
    pub fn dump(&self, to: &Path) -> io::Result<()> {
        let world = self.world();
        for (path, node) in &world.seen {
            let path = to.join(path.strip_prefix(&world.root).map_err(io::Error::other)?);
            match node {
                Node::Folder(_) => std::fs::create_dir_all(path)?,
                Node::File(file) => std::fs::write(path, &*world.files[*file].seen)?,
            }
        }
        Ok(())
    }
}

/// The disk as one process sees it.
struct Process {
    machine: Arc<Machine>,
    number: u64,
}

struct Handle {
    machine: Arc<Machine>,
    process: u64,
    file: usize,
    path: PathBuf,
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// Does a step: `change` is told whether to do it whole.
fn take_step(
    machine: &Machine,
    process: u64,
    step: Step,
    change: impl FnOnce(&mut World, bool),
) -> io::Result<()> {
    // Whoever waits may run first, as in any call of the system.
    thread::yield_now();
    let mut world = machine.world();
    let verdict = world.step(process, step)?;
    let result = match verdict {
        Verdict::Go => {
            change(&mut world, true);
            Ok(())
        }
        Verdict::DoneUnheard(error) => {
            change(&mut world, true);
            Err(error)
        }
        Verdict::Begun(error) => {
            change(&mut world, false);
            Err(error)
        }
        Verdict::Refused(error) => Err(error),
    };
    if result.is_err() {
        world.end();
    }
    result
}

impl Disk for Process {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>> {
        let known = {
            let world = self.machine.world();
            world.alive(self.number)?;
            world.seen.get(path).copied()
        };
        let file = match (known, mode) {
            (Some(Node::File(file)), _) => file,
            (Some(Node::Folder(_)), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (None, Mode::Read) => return Err(not_found()),
            (None, Mode::Write) => {
                let mut made = None;
                let folder = path.parent().unwrap_or(path).to_owned();
                take_step(&self.machine, self.number, Step::Grow, |world, whole| {
                    let is_there =
                        folder == world.root || matches!(world.seen.get(&folder), Some(Node::Folder(_)));
                    if whole && is_there {
                        world.files.push(Contents::default());
                        let file = world.files.len() - 1;
                        world.name(None, path, Node::File(file));
                        made = Some(file);
                    }
                })?;
                made.ok_or_else(not_found)?
            }
        };
        let (machine, path) = (self.machine.clone(), path.to_owned());
        Ok(Arc::new(Handle { machine, process: self.number, file, path }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let missing: Vec<PathBuf> = {
            let world = self.machine.world();
            world.alive(self.number)?;
            let is_missing = |path: &&Path| **path != *world.root && !world.seen.contains_key(*path);
            path.ancestors().take_while(is_missing).map(Path::to_owned).collect()
        };
        for folder in missing.iter().rev() {
            take_step(&self.machine, self.number, Step::Grow, |world, whole| {
                if whole {
                    world.folders += 1;
                    let node = Node::Folder(world.folders);
                    world.name(None, folder, node);
                }
            })?;
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        take_step(&self.machine, self.number, Step::Sync, |world, whole| {
            if world.lie.is_some_and(|lie| lie(path, true)) {
                return;
            }
            let (here, elsewhere) =
                std::mem::take(&mut world.waiting).into_iter().partition(|change| change.folder == path);
            world.waiting = elsewhere;
            let here: Vec<NameChange> = here;
            let synced = if whole { here.len() } else { world.chance.below(here.len() as u64 + 1) as usize };
            here[..synced].iter().for_each(|change| change.apply(&mut world.durable));
            if !whole {
                // They wait on: a journal that fails takes the file system with it, and nothing seems synced.
                world.waiting.splice(0..0, here[synced..].iter().cloned());
            }
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut found = false;
        take_step(&self.machine, self.number, Step::Change, |world, whole| {
            if let Some(node) = world.seen.get(from).copied() {
                found = true;
                if whole {
                    world.name(Some(from), to, node);
                }
            }
        })?;
        if found { Ok(()) } else { Err(not_found()) }
    }

    fn identity(&self, path: &Path) -> io::Result<String> {
        let world = self.machine.world();
        world.alive(self.number)?;
        if path == world.root {
            return Ok("root".into());
        }
        match world.seen.get(path) {
            Some(Node::Folder(number)) => Ok(format!("folder {number}")),
            Some(Node::File(number)) => Ok(format!("file {number}")),
            None => Err(not_found()),
        }
    }
}

impl File for Handle {
    fn size(&self) -> io::Result<u64> {
        let world = self.machine.world();
        world.alive(self.process)?;
        Ok(world.files[self.file].seen.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        let world = self.machine.world();
        world.alive(self.process)?;
        let bytes = &world.files[self.file].seen;
        let wanted = usize::try_from(at).ok().and_then(|at| bytes.get(at..at.checked_add(buffer.len())?));
        buffer.copy_from_slice(wanted.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let grows = at + bytes.len() as u64 > self.size()?;
        let step = if grows { Step::Grow } else { Step::Change };
        take_step(&self.machine, self.process, step, |world, whole| {
            if self.path.ends_with("checkpoint") {
                let durable = world.durable_entries();
                world.checkpoints.push((bytes.to_vec(), durable));
            }
            let some = if whole { bytes.len() } else { world.chance.below(bytes.len() as u64) as usize };
            world.files[self.file].write(&bytes[..some], at);
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        take_step(&self.machine, self.process, Step::Change, |world, whole| {
            if whole {
                world.files[self.file].set_len(len);
            }
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        take_step(&self.machine, self.process, Step::Sync, |world, whole| {
            if world.lie.is_some_and(|lie| lie(&self.path, false)) {
                return;
            }
            let World { files, chance, .. } = world;
            let file = &mut files[self.file];
            if whole {
                file.settle(Luck::All, chance);
            } else {
                file.settle(Luck::Mixed, chance);
                if chance.one_in(2) {
                    file.seen = file.durable.clone();
                }
            }
        })
    }
}
