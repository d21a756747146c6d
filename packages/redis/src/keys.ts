/**
 * Every name that is stored on the server, in one place.
 *
 * The keys of a queue share a hash tag, so a cluster keeps them on one node: `pq:{emails}:jobs`. The tag is the queue's
 * name, percent-encoded, so that no name can leave its tag or its prefix. Scripts make them from the first, `meta`. In a cluster they get all
 * of them all the same: while it moves the queue to another node, it then sees that some have not arrived yet, and says so, instead of letting a
 * script run on half of a queue. Elsewhere they would only cost time.
 */

/** What a queue consists of. The head of `scripts/prelude.ts` says what each key holds. */
const PARTS = [
  "meta",
  "jobs",
  "features",
  "states",
  "extras",
  "fifo",
  "gone",
  "ordered",
  "blocked",
  "lanes",
  "groups",
  "delayed",
  "leased",
  "takes",
  "ends",
  "buried",
  "done",
  "names",
  "damaged",
  "answers",
  "older",
  "wake",
  "waiters",
] as const;

/** The keys of one queue. */
export interface QueueKeys {
  /** Those that a script is called with. */
  readonly all: readonly string[];
  readonly meta: string;
  /** The list on which waiting processes block. */
  readonly wake: string;
}

/** The keys of this queue. */
export function queueKeys(prefix: string, queue: string, inCluster: boolean): QueueKeys {
  const base = `${prefix}:{${encodeURIComponent(queue)}}:`;
  const parts = inCluster ? PARTS : PARTS.slice(0, 1);
  return { all: parts.map((part) => base + part), meta: `${base}meta`, wake: `${base}wake` };
}

/** The set of the names of all queues. */
export function registryKey(prefix: string): string {
  return `${prefix}:queues`;
}

/** The version of the stored format, written by the first process that opens the store. */
export function formatKey(prefix: string): string {
  return `${prefix}:format`;
}
