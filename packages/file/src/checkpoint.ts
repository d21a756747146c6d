/**
 * The checkpoint: what the store knew at one place of the log, so that opening need not read what stands before it.
 * It is an accelerator and nothing else: when it is missing, torn, damaged, of another version or of another log, the
 * segments are read from the first on. It is written beside the old one and takes its place by a rename.
 *
 * It is a file of frames: START (the place of the log), for each queue its QUEUE record, JOBS and ANSWERS, and END, without
 * which it does not count.
 *
 * **It is written while the store goes on.** START is where the log ended when writing began; jobs are written as they are when
 * their turn comes. Replay from START makes that right: every record says what a job has become, so replaying what a
 * job had already been through ends where its last record says. The file counts only once all that was in the log by
 * its end is on disk, so that it is never ahead of the log.
 */
import fs from "node:fs";
import type { RequestId } from "@pq/core/backend";
import { ByteReader, type ByteWriter, DONE, EXTRA, giveWay, type Jobs, PENDING, type QueueState } from "@pq/core/state";
import { replayQueue, writeQueue } from "./calls/queue-record.ts";
import { closeFile, openFile, readFile, syncData, syncFolder, writeAll } from "./files.ts";
import { FIRST, FrameCursor, FrameWriter, seal, segmentSeed } from "./frame.ts";
import { readState, writeState } from "./job-record.ts";
import { CHECKPOINT_MAGIC, type Layout } from "./layout.ts";
import type { Log } from "./log.ts";
import { QUEUE } from "./records.ts";
import { Knowledge } from "./replay.ts";

const START = 100;
const JOBS = 101;
const ANSWERS = 102;
const END = 103;
const JOBS_PER_FRAME = 1000;
/** Bytes gathered for one write. */
const WRITE = 1024 * 1024;
/** No segment has this number: frames of a checkpoint are never mistaken for frames of the log. */
const SEGMENT = 0;

/** What a checkpoint gives: the knowledge, and where the log goes on from there. */
export interface Loaded {
  readonly knowledge: Knowledge;
  readonly segment: number;
  readonly offset: number;
  readonly group: number;
}

/** Writes checkpoints of one store, when enough was written to the log since the last, and at the end. */
export class Checkpointer {
  readonly #layout: Layout;
  readonly #knowledge: Knowledge;
  readonly #log: Log;
  readonly #salt: number;
  readonly #least: number;
  #nextAt: number;
  #running: Promise<void> | undefined;

  /** `least`: bytes of log between two checkpoints at the least. */
  constructor(parts: { layout: Layout; knowledge: Knowledge; log: Log; salt: number; least: number }) {
    this.#layout = parts.layout;
    this.#knowledge = parts.knowledge;
    this.#log = parts.log;
    this.#salt = parts.salt;
    this.#least = parts.least;
    this.#nextAt = parts.least;
  }

  /** Write one in the background if it is time. */
  poke(): void {
    if (this.#running !== undefined || this.#log.written < this.#nextAt || this.#log.full) return;
    this.#nextAt = Infinity;
    this.#running = this.write()
      .catch(() => undefined)
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Write one now. When it cannot be written, the old one stays. */
  async write(): Promise<void> {
    const { newCheckpoint, checkpoint, folder } = this.#layout;
    const output = new Output(await openFile(newCheckpoint, "w"), segmentSeed(this.#salt, SEGMENT));
    try {
      await this.#writeAll(output);
      await this.#log.barrier();
      await syncData(output.fd);
    } finally {
      await closeFile(output.fd);
      this.#nextAt = this.#log.written + Math.max(this.#least, output.size * 2);
    }
    await fs.promises.rename(newCheckpoint, checkpoint);
    await syncFolder(folder);
  }

  async #writeAll(output: Output): Promise<void> {
    const { frames } = output;
    const { segment, size, group } = this.#log;
    frames.begin(START, FIRST);
    for (const value of [segment, size, group, this.#knowledge.fences.epoch]) frames.out.f64(value);
    frames.end();
    const queues = [...this.#knowledge.queues.values()];
    for (const queue of queues) writeQueue(queue, frames);
    for (const queue of queues) {
      await writeJobs(output, queue);
      writeAnswers(frames, queue);
      await output.flush(0);
    }
    frames.begin(END, FIRST);
    frames.end();
    await output.flush(0);
  }
}

/** Frames on their way into the file. */
class Output {
  readonly fd: number;
  readonly frames: FrameWriter = new FrameWriter();
  size: number = CHECKPOINT_MAGIC.length;
  readonly #seed: number;

  constructor(fd: number, seed: number) {
    this.fd = fd;
    this.#seed = seed;
  }

  /** Write what has gathered, if it is so much. */
  async flush(least: number): Promise<void> {
    const bytes = this.frames.out.written;
    if (bytes.length < least) return;
    if (this.size === CHECKPOINT_MAGIC.length) await writeAll(this.fd, Buffer.from(CHECKPOINT_MAGIC, "latin1"), 0);
    seal(bytes, this.#seed, this.size, 0);
    await writeAll(this.fd, bytes, this.size);
    this.size += bytes.length;
    this.frames.out.clear();
  }
}

async function writeJobs(output: Output, queue: QueueState): Promise<void> {
  const { jobs } = queue;
  const { out } = output.frames;
  for (let from = 0; from < jobs.table.limit; from += JOBS_PER_FRAME) {
    output.frames.begin(JOBS, FIRST);
    out.u32(queue.number);
    for (let slot = from; slot < Math.min(from + JOBS_PER_FRAME, jobs.table.limit); slot++) {
      if (jobs.table.state(slot) > PENDING) writeJob(out, jobs, slot);
    }
    output.frames.end();
    await giveWay();
    await output.flush(WRITE);
  }
}

const words = new Int32Array(4);

function writeJob(out: ByteWriter, jobs: Jobs, slot: number): void {
  const { table } = jobs;
  out.words(table.id(slot, words));
  out.u8(table.state(slot));
  out.u8(table.flags(slot));
  out.u32(table.piece(slot));
  out.u32(table.offset(slot));
  out.u32(table.size(slot));
  out.f64(table.time(slot));
  out.u32(table.sequence(slot));
  out.u32(table.priority(slot));
  out.u32(table.attempt(slot));
  const extra = jobs.extraIfAny(slot);
  if (extra === undefined) return;
  const { key, group, expiresAt, ownLease, keepResult, maxAttempts } = extra;
  out.text(JSON.stringify([key, group, expiresAt, ownLease, keepResult, maxAttempts]));
  writeState(out, { state: table.state(slot), flags: table.flags(slot), attempt: table.attempt(slot), extra });
}

function writeAnswers(frames: FrameWriter, queue: QueueState): void {
  frames.begin(ANSWERS, FIRST);
  frames.out.u32(queue.number);
  frames.out.text(JSON.stringify(queue.answers.recent()));
  frames.end();
}

/**
 * What the checkpoint of a folder knows, or `undefined` when there is none that can be used with these segments. Such a one is removed:
 * the log may have lost its end without a sync, and once it has grown past the place again, nobody could tell that it is not the same log.
 */
export async function loadCheckpoint(layout: Layout, salt: number): Promise<Loaded | undefined> {
  const bytes = await readFile(layout.checkpoint).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const loaded = await new Loader(bytes, segmentSeed(salt, SEGMENT)).load().catch(() => undefined);
  if (loaded !== undefined && (await sizeOf(layout.segment(loaded.segment))) >= loaded.offset) return loaded;
  await fs.promises.rm(layout.checkpoint, { force: true });
  await syncFolder(layout.folder);
  return undefined;
}

/** -1: there is no such file. */
async function sizeOf(path: string): Promise<number> {
  return fs.promises.stat(path).then(
    (stat) => stat.size,
    () => -1,
  );
}

class Loader {
  readonly #bytes: Buffer;
  readonly #cursor: FrameCursor;
  readonly #knowledge = new Knowledge();
  #start: Omit<Loaded, "knowledge"> | undefined;

  constructor(bytes: Buffer, seed: number) {
    this.#bytes = bytes;
    this.#cursor = new FrameCursor(bytes, seed);
  }

  async load(): Promise<Loaded | undefined> {
    const cursor = this.#cursor;
    if (this.#bytes.toString("latin1", 0, CHECKPOINT_MAGIC.length) !== CHECKPOINT_MAGIC) return undefined;
    for (let at = CHECKPOINT_MAGIC.length; cursor.check(at) === "frame"; at = cursor.end) {
      if (cursor.type === END) return this.#start && { ...this.#start, knowledge: this.#knowledge };
      this.#frame(new ByteReader(this.#bytes, cursor.bodyStart, cursor.end), cursor.type);
      if (cursor.type === JOBS) await giveWay();
    }
    return undefined;
  }

  #frame(input: ByteReader, type: number): void {
    if (type === START) {
      this.#start = { segment: input.f64(), offset: input.f64(), group: input.f64() };
      this.#knowledge.fences.seenEpoch(input.f64());
      return;
    }
    const number = input.u32();
    if (type === QUEUE) {
      const time = input.f64();
      const queue = this.#knowledge.numbered(number, input.textOf(input.u8()));
      queue.time = time;
      replayQueue(queue, input);
      return;
    }
    const queue = this.#knowledge.numbered(number);
    if (type === JOBS) while (input.at < input.end) readJob(input, queue);
    if (type === ANSWERS) queue.answers.restore(JSON.parse(input.text()) as [RequestId, number, number, unknown][]);
  }
}

function readJob(input: ByteReader, queue: QueueState): void {
  const { jobs } = queue;
  input.words(words);
  const slot = jobs.create(words);
  const state = input.u8();
  const flags = input.u8();
  jobs.locate(slot, input.u32(), input.u32(), input.u32());
  jobs.table.setPosition(slot, input.f64(), input.u32());
  jobs.table.setPriority(slot, input.i32());
  const attempt = input.u32();
  if ((flags & EXTRA) === 0) {
    queue.reinstate(slot, state, flags, attempt);
    return;
  }
  const extra = jobs.needExtra(slot);
  const fixed = JSON.parse(input.text()) as [
    string | null,
    string | null,
    number | null,
    number | null,
    number | null,
    number,
  ];
  [extra.key, extra.group, extra.expiresAt, extra.ownLease, extra.keepResult, extra.maxAttempts] = fixed;
  // A job whose result is kept holds its key no longer; another may.
  if (extra.key !== null && state !== DONE) jobs.keys.set(extra.key, slot);
  queue.restore(slot, readState(input));
}
