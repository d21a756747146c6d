/** What is stored of one queue, read in one step and without the backend. The head of `src/scripts/prelude.ts` describes it. */
import { type JobId, jobIdFromBytes } from "@pq/core/backend";
import type { Redis } from "ioredis";
import { type Features, readFeatures } from "../../src/record.ts";

/** Bytes are read as latin1, a character each, so that they compare as the server compares them. */
export type Bytes = string;

const HASHES = [
  "meta",
  "jobs",
  "features",
  "states",
  "extras",
  "groups",
  "takes",
  "names",
  "damaged",
  "answers",
  "older",
] as const;
const SCORES = ["ordered", "blocked", "lanes", "delayed", "leased", "ends", "buried", "done", "waiters"] as const;
const LISTS = ["fifo", "gone", "wake"] as const;

/** Where a job stands. `f`: in the list, without a state. */
export type Kind = "f" | "r" | "w" | "d" | "l" | "b" | "e";

/** A job, put together from its record, features and state. */
export interface Job {
  readonly id: Bytes;
  readonly kind: Kind;
  readonly features: Features;
  readonly createdAt: number;
  /** The first bytes of its record, and what its state repeats of them. */
  readonly record: Bytes;
  readonly head: Bytes;
  readonly marks: number;
  readonly lane: string;
  readonly position: Bytes;
  readonly attempt: number;
  readonly fence: Bytes;
}

/** A place in the list. */
interface ListPlace {
  readonly id: Bytes;
  readonly position: Bytes;
}

/** A queue. */
export interface Stored
  extends
    Readonly<Record<(typeof HASHES)[number], ReadonlyMap<Bytes, Bytes>>>,
    Readonly<Record<(typeof SCORES)[number], ReadonlyMap<Bytes, number>>> {
  readonly all: readonly Job[];
  readonly list: readonly ListPlace[];
  readonly gone: ReadonlySet<Bytes>;
  readonly wake: readonly Bytes[];
  /** How many ms the generations of answers last; below 0: none, or for ever. */
  readonly lasts: { readonly answers: number; readonly older: number };
  /** By the server's clock, when this was read. */
  readonly now: number;
}

const READ = `
local parts, answer = {}, {}
local function key(part) return KEYS[1] .. part end
for _, part in ipairs({ ${HASHES.map((part) => `'${part}'`).join()} }) do answer[#answer + 1] = redis.call('HGETALL', key(part)) end
for _, part in ipairs({ ${SCORES.map((part) => `'${part}'`).join()} }) do
  answer[#answer + 1] = redis.call('ZRANGE', key(part), 0, -1, 'WITHSCORES')
end
local time = redis.call('TIME')
return { answer, redis.call('LRANGE', key('fifo'), 0, -1), redis.call('SMEMBERS', key('gone')),
  redis.call('LRANGE', key('wake'), 0, -1), redis.call('PTTL', key('answers')), redis.call('PTTL', key('older')),
  time[1] * 1000 + math.floor(time[2] / 1000) }
`;

type Answer = readonly [Buffer[][], Buffer[], Buffer[], Buffer[], number, number, number];

/** Read this queue. */
export async function readStored(admin: Redis, queue: string): Promise<Stored> {
  const answer = (await admin.callBuffer("EVAL", READ, "1", `pq:{${queue}}:`)) as Answer;
  const [parts, runs, gone, wake, answers, older, now] = answer;
  const maps = parts.map(pairs);
  const hashes = Object.fromEntries(HASHES.map((part, at) => [part, maps[at]!]));
  const scores = Object.fromEntries(
    SCORES.map((part, at) => [part, new Map([...maps[HASHES.length + at]!].map(([of, score]) => [of, Number(score)]))]),
  );
  // A long value without a name makes a hash a real one.
  hashes["states"]?.delete("");
  const named = { ...hashes, ...scores } as unknown as Stored;
  return {
    ...named,
    all: [...named.jobs.keys()].map((id) => job(id, named)),
    list: runs.map(text).flatMap(places),
    gone: new Set(gone.map(text)),
    wake: wake.map(text),
    lasts: { answers, older },
    now,
  };
}

/** The id as the seam has it. */
export function jobIdOf(id: Bytes): JobId {
  return jobIdFromBytes(Buffer.from(id, "latin1"));
}

/** The keys of this queue that hold something, with how much. */
export function filled(stored: Stored): Record<string, number> {
  const sizes = [...HASHES, ...SCORES].map((part) => [part, stored[part].size] as const);
  const lists = LISTS.map(
    (part) => [part, part === "gone" ? stored.gone.size : stored[part === "fifo" ? "list" : part].length] as const,
  );
  return Object.fromEntries([...sizes, ...lists].filter(([, size]) => size > 0));
}

function text(bytes: Buffer): Bytes {
  return bytes.toString("latin1");
}

function pairs(flat: readonly Buffer[]): Map<Bytes, Bytes> {
  const map = new Map<Bytes, Bytes>();
  for (let at = 0; at < flat.length; at += 2) map.set(text(flat[at]!), text(flat[at + 1]!));
  return map;
}

/** A number of up to 6 bytes. */
function number(bytes: Bytes): number {
  return Buffer.from(bytes, "latin1").readUIntBE(0, bytes.length);
}

function job(id: Bytes, { jobs, features, states }: Stored): Job {
  const record = jobs.get(id)!;
  const more = features.get(id);
  const state = states.get(id);
  return {
    id,
    kind: (state?.[0] ?? "f") as Kind,
    features: readFeatures(more === undefined ? undefined : Buffer.from(more, "latin1")),
    createdAt: number(record.slice(-6)),
    record,
    head: state?.slice(1, 3) ?? record.slice(0, 2),
    marks: state?.charCodeAt(3) ?? 0,
    lane: state?.[4] ?? "1",
    position: state?.slice(5, 12) ?? "",
    attempt: state === undefined ? 0 : number(state.slice(12, 16)),
    fence: state?.slice(16, 22) ?? "",
  };
}

/** A run: the position of the first, how many bytes the ids share, those bytes, the rest of each. */
function places(run: Bytes): ListPlace[] {
  const shared = run.charCodeAt(7);
  const size = 16 - shared;
  const prefix = run.slice(8, 8 + shared);
  const count = (run.length - 8 - shared) / size;
  const whole = shared < 16 && Number.isInteger(count) && count > 0;
  if (!whole) throw new Error(`a run of ${run.length} bytes that share ${shared}`);
  return Array.from({ length: count }, (_, at) => {
    const from = 8 + shared + size * at;
    const position = run.slice(0, 6) + String.fromCharCode(run.charCodeAt(6) + at);
    return { id: prefix + run.slice(from, from + size), position };
  });
}
