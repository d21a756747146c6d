/** Opening a folder: lock, recovery, a new epoch, and the store on top. */
import fs from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { type BackendEvent, type Guarantees, newRequestId } from "@pq/core/backend";
import { ByteReader, parseWords, type QueueState } from "@pq/core/state";
import { writeDrop, writeQueue } from "./calls/queue-record.ts";
import { Checkpointer, loadCheckpoint } from "./checkpoint.ts";
import { Damage } from "./damage.ts";
import { syncFolder } from "./files.ts";
import { FIRST, type FrameWriter } from "./frame.ts";
import { readJob } from "./job-record.ts";
import { FORMAT_VERSION, Layout } from "./layout.ts";
import { FolderLock } from "./lock.ts";
import { Log } from "./log.ts";
import type { ResolvedOptions } from "./options.ts";
import { PayloadReader } from "./payload-reader.ts";
import { EPOCH } from "./records.ts";
import { dropUnstarted, listSegments, readSalt, type Recovered, Recovery } from "./recovery.ts";
import { Knowledge } from "./replay.ts";
import { Reserve } from "./reserve.ts";
import { SegmentFiles } from "./segment-files.ts";
import { Session } from "./session.ts";
import { Store } from "./store.ts";
import { Tidier } from "./tidier.ts";
import { SEGMENT_HEADER } from "./layout.ts";

/** Take the lock, read what is there, and be ready for calls. */
export async function openSession(options: ResolvedOptions, report: (event: BackendEvent) => void): Promise<Session> {
  const layout = new Layout(options.path);
  await makeFolder(options.path);
  const lock = await FolderLock.acquire(layout);
  try {
    return await openLocked(options, layout, lock, report);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openLocked(
  options: ResolvedOptions,
  layout: Layout,
  lock: FolderLock,
  report: (event: BackendEvent) => void,
): Promise<Session> {
  const damage = new Damage(layout, report);
  const recovered = await recover(layout, damage);
  const { knowledge, salt, segments } = recovered;
  const durable = options.durability === "disk";
  const reserve = new Reserve(layout, options.reserveBytes);
  const catalog = (frames: FrameWriter): void => {
    writeEpoch(knowledge.fences.epoch, frames);
    for (const queue of knowledge.queues.values()) writeQueue(queue, frames);
  };
  const log = new Log({ layout, durable, segmentBytes: options.segmentBytes, salt, reserve, catalog }, recovered.end);
  await log.open();
  const files = new SegmentFiles(layout);
  try {
    await beginEpoch(log, knowledge, recovered);
    const roomy = await reserve.restore();
    const reader = new PayloadReader(files, log.tail, salt);
    const store: Store = new Store({ clock: options.clock, knowledge, log, reader, damage, tidy: () => tidy() });
    const drop = (queue: QueueState, slot: number): Promise<void> => store.drop(queue, slot);
    const tidier = new Tidier(
      { layout, knowledge, log, files, damage, salt, segmentBytes: options.segmentBytes, drop },
      segments,
    );
    const checkpointer = new Checkpointer({ layout, knowledge, log, salt, least: options.segmentBytes });
    const tidy = (): void => {
      tidier.poke();
      checkpointer.poke();
    };
    tidier.poke();
    const guarantees = await guaranteesOf(options, damage, roomy);
    return new Session({
      store,
      guarantees,
      lock,
      log,
      files,
      stopTidying: async () => {
        await tidier.stop();
        await checkpointer.idle();
      },
      checkpoint: () => checkpointer.write(),
    });
  } catch (error) {
    await log.stop();
    throw error;
  }
}

/** Read what a folder holds. Changes nothing but what a crash left unfinished. */
export async function recover(
  layout: Layout,
  damage: Damage,
): Promise<Recovered & { salt: number; knowledge: Knowledge }> {
  const segments = await listSegments(layout);
  await dropUnstarted(layout, segments, damage);
  const salt = (await readSalt(layout, segments)) ?? newSalt();
  const loaded = await loadCheckpoint(layout, salt);
  const knowledge = loaded?.knowledge ?? new Knowledge();
  const start = loaded ?? { segment: segments[0] ?? 0, offset: SEGMENT_HEADER, group: 0 };
  const result = await new Recovery(layout, knowledge, damage, salt).run(segments, start, start.group);
  return { ...result, salt, knowledge };
}

/** Make a new epoch last before anything else happens, and say what recovery dropped. */
async function beginEpoch(log: Log, knowledge: Knowledge, { dropped }: Recovered): Promise<void> {
  knowledge.fences.begin();
  await new Promise<void>((resolve, reject) => {
    log.append({ done: () => resolve(), failed: reject }, (frames) => {
      writeEpoch(knowledge.fences.epoch, frames);
      for (const { bytes, start, end } of dropped) {
        const job = readJob(new ByteReader(bytes, start, end));
        writeDrop(knowledge.queue(job.name), [job.facts.words], job.facts.createdAt, frames);
      }
    });
  });
}

function writeEpoch(epoch: number, frames: FrameWriter): void {
  frames.begin(EPOCH, FIRST);
  frames.out.f64(epoch);
  frames.end();
}

function newSalt(): number {
  const words = new Int32Array(4);
  parseWords(newRequestId(), words);
  return words[0]! >>> 0;
}

async function guaranteesOf({ durability }: ResolvedOptions, damage: Damage, roomy: boolean): Promise<Guarantees> {
  const warnings: string[] = [];
  const damaged = await damage.count();
  if (durability === "process") {
    warnings.push('durability is "process": a power failure loses the last seconds; open with durability: "disk"');
  }
  if (damaged > 0) {
    warnings.push(
      `${damaged} damaged parts of the log were put aside in the folder "damaged": look at them, then remove them`,
    );
  }
  if (!roomy) warnings.push("the disk is full: puts are refused until there is room");
  return { durability, store: `file, format ${FORMAT_VERSION}`, warnings };
}

/** Make the folder for its owner alone, and make every new folder on the way last. */
async function makeFolder(path: string): Promise<void> {
  const first = await fs.promises.mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  let folder = dirname(first);
  for (const part of relative(folder, dirname(path)).split(sep)) {
    await syncFolder(folder);
    folder = join(folder, part);
  }
  await syncFolder(dirname(path));
}
