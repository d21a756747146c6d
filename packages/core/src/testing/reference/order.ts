/** The order of jobs, as `docs/design.md` states it. */
import type { JobState } from "../../job.ts";
import type { Entry } from "./entry.ts";

/** Compare the places of two jobs that have a position. */
export function comparePlaces(a: Entry, b: Entry): number {
  if (a.urgent !== b.urgent) return a.urgent ? -1 : 1;
  if (!a.urgent) {
    if (a.priority !== b.priority) return a.priority - b.priority;
    if (a.returned !== b.returned) return a.returned ? -1 : 1;
  }
  return comparePositions(a, b);
}

/** Compare by position alone, as inside a group. */
function comparePositions(a: Entry, b: Entry): number {
  return (a.position ?? Infinity) - (b.position ?? Infinity);
}

/** How the jobs of a state are listed: ready ones by their places, those that wait for a moment by it, the others as they came there. */
export function listOrder(state: JobState): (a: Entry, b: Entry) => number {
  const bySince = (a: Entry, b: Entry): number => a.since - b.since;
  switch (state) {
    case "ready":
      return comparePlaces;
    case "delayed":
      return (a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0) || bySince(a, b);
    case "leased":
      return (a, b) => (a.leaseUntil ?? 0) - (b.leaseUntil ?? 0) || bySince(a, b);
    case "buried":
    case "done":
      return bySince;
  }
}

/** Holds a place in its group's lane: ready, or delayed after a delivery. */
function inLane(entry: Entry): boolean {
  return entry.position !== null && (entry.state === "ready" || entry.state === "delayed");
}

/** The jobs that could be delivered now, in order: ready ones, and of each group at most the head while no member is leased. */
export function deliverable(entries: Iterable<Entry>): Entry[] {
  const ready: Entry[] = [];
  const busy = new Set<string>();
  const heads = new Map<string, Entry>();
  for (const entry of entries) {
    if (entry.state === "ready") ready.push(entry);
    if (entry.group === null) continue;
    if (entry.state === "leased") busy.add(entry.group);
    const head = heads.get(entry.group);
    if (inLane(entry) && (head === undefined || comparePositions(entry, head) < 0)) heads.set(entry.group, entry);
  }
  return ready
    .filter(({ group }, index) => group === null || (!busy.has(group) && heads.get(group) === ready[index]))
    .sort(comparePlaces);
}
