/**
 * The order in which the jobs of a state are listed.
 *
 * A key is what a job is sorted by: numbers, compared one after the other, and at last its id. A cursor is the key of the last job of a page of
 * the list, so going on from it needs nothing of what is stored.
 */
import { type JobState, PqError } from "@pq/core/backend";
import type { PageJob } from "./page/job.ts";
import type { Stamp } from "./page/place.ts";

/** What a job is sorted by. Keys of one state are equally long. */
export type Key = readonly (number | string)[];

/** How many numbers the keys of a state have. */
const NUMBERS: Readonly<Record<JobState, number>> = { ready: 6, delayed: 4, leased: 5, buried: 6, done: 6 };

/** The key of a job that is in this state. */
export function keyOf(state: JobState, job: PageJob): Key {
  const { id, urgent, priority, returned, stamp, until, turn, since } = job;
  switch (state) {
    case "ready":
      if (urgent) return [0, 0, 0, ...numbersOf(stamp).map((number) => -number), id];
      return [1, priority, returned ? 0 : 1, ...numbersOf(stamp), id];
    case "delayed":
      return [until!, ...numbersOf(stamp), id];
    case "leased":
      return [until!, turn, ...numbersOf(stamp), id];
    case "buried":
    case "done":
      return [...numbersOf(since!), ...numbersOf(stamp), id];
  }
}

function numbersOf({ ms, n, i }: Stamp): readonly number[] {
  return [ms, n, i];
}

/** Which of two keys of one state is first. */
export function compareKeys(a: Key, b: Key): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at === -1 ? 0 : a[at]! < b[at]! ? -1 : 1;
}

/** The cursor that goes on after this key. */
export function cursorOf(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

/** The reverse. Throws `UNSUPPORTED` for what `cursorOf` cannot have made in this state. */
export function keyIn(cursor: string, state: JobState): Key {
  const key = parse(Buffer.from(cursor, "base64url").toString());
  if (isKey(key, NUMBERS[state])) return key;
  throw new PqError("UNSUPPORTED", `mongo: the cursor is not one that a list of ${state} jobs gave`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isKey(key: unknown, numbers: number): key is Key {
  if (!Array.isArray(key) || key.length !== numbers + 1) return false;
  return key.every((value, index) => (index < numbers ? Number.isFinite(value) : typeof value === "string"));
}

/** Something with a key. */
export interface Keyed {
  readonly key: Key;
}

/** The first `limit` of many, in memory for about twice as many. */
export class First<T extends Keyed> {
  readonly #limit: number;
  readonly #after: Key | null;
  #best: T[] = [];
  /** Nothing from here on can be among the first. */
  #end: Key | null = null;

  /** Of those after this key, or of all. */
  constructor(limit: number, after: Key | null) {
    this.#limit = limit;
    this.#after = after;
  }

  /** May something with this key be among them? */
  takes(key: Key): boolean {
    if (this.#after !== null && compareKeys(key, this.#after) <= 0) return false;
    return this.#end === null || compareKeys(key, this.#end) < 0;
  }

  /** Add one that it takes. */
  add(item: T): void {
    this.#best.push(item);
    if (this.#best.length >= 2 * this.#limit + SPARE) this.#cut();
  }

  /** The first, in order. */
  done(): readonly T[] {
    this.#cut();
    return this.#best;
  }

  #cut(): void {
    this.#best = this.#best.sort((a, b) => compareKeys(a.key, b.key)).slice(0, this.#limit);
    if (this.#best.length === this.#limit) this.#end = this.#best.at(-1)?.key ?? null;
  }
}

/** For small limits: so many more, not to sort at every few. */
const SPARE = 100;
