/** What must be true of jobs together: groups and keys. */
import type { Delivery, History, JobHistory } from "./history.ts";
import { type Rest, show, SLACK } from "./jobs.ts";
import type { Violation } from "./violation.ts";

/** A group gives out one job at a time, in the order of the puts. */
export function groups(history: History): Violation[] {
  const members = groupBy([...history.jobs.values()], ({ put }) => put?.job.group);
  return members.flatMap((jobs) => [...oneAtATime(jobs), ...inOrder(jobs)]);
}

function oneAtATime(jobs: readonly JobHistory[]): Violation[] {
  const held = jobs.flatMap(({ deliveries }) => deliveries.filter(({ sure }) => sure)).sort((a, b) => a.at - b.at);
  const found: Violation[] = [];
  let longest: Delivery | undefined;
  for (const delivery of held) {
    if (longest !== undefined && longest.id !== delivery.id && delivery.at < longest.heldUntil - SLACK) {
      found.push({
        rule: "group order",
        text: `two at a time: ${show(delivery)}, while until ${longest.heldUntil} ${show(longest)}`,
      });
    }
    if (longest === undefined || delivery.heldUntil > longest.heldUntil) longest = delivery;
  }
  return found;
}

/** Once a job has come, those that were surely put before it are finished, so nobody gets them any more. */
function inOrder(jobs: readonly JobHistory[]): Violation[] {
  const sure = jobs
    .filter(({ put }) => put?.outcome === "added")
    .sort((a, b) => beginOf(a) - beginOf(b) || placeOf(a) - placeOf(b));
  /** For each: who came first of it and all that were put after it. */
  const firsts: (Delivery | undefined)[] = [];
  for (let at = sure.length - 1; at >= 0; at--) firsts[at] = sooner(firstOf(sure[at]!), firsts[at + 1]);
  const found: Violation[] = [];
  for (const [index, job] of sure.entries()) {
    let next = index + 1;
    // Calls that ran together have no order between them; the jobs of one call have.
    while (next < sure.length && !isBefore(job, sure[next]!)) next++;
    const first = firsts[next];
    const late = job.deliveries.find(({ sure, at }) => sure && first !== undefined && at > first.at + SLACK);
    if (late !== undefined) {
      found.push({
        rule: "group order",
        text: `${show(late)}, although before it ${show(first!)}, which was put later`,
      });
    }
  }
  return found;
}

function beginOf({ put }: JobHistory): number {
  return put!.call.begin.at;
}

function placeOf({ id, put }: JobHistory): number {
  return put!.call.begin.jobs.findIndex((job) => job.id === id);
}

function isBefore(first: JobHistory, second: JobHistory): boolean {
  const [one, two] = [first.put!.call, second.put!.call];
  return one === two ? placeOf(first) < placeOf(second) : one.end!.at < two.begin.at;
}

function firstOf({ deliveries }: JobHistory): Delivery | undefined {
  return deliveries.reduce<Delivery | undefined>((first, each) => sooner(each, first), undefined);
}

function sooner(one: Delivery | undefined, two: Delivery | undefined): Delivery | undefined {
  if (one === undefined || two === undefined) return one ?? two;
  return one.at <= two.at ? one : two;
}

/** While a job with a key surely lived, no other was stored under it; a duplicate names a job with that key. */
export function keys(history: History, rest: Rest): Violation[] {
  const members = groupBy([...history.jobs.values()], ({ put }) => put?.job.key);
  return members.flatMap((jobs) => [...oneLives(jobs, rest), ...rightName(jobs, history)]);
}

function oneLives(jobs: readonly JobHistory[], rest: Rest): Violation[] {
  const found: Violation[] = [];
  const added = jobs.filter(({ put }) => put?.outcome === "added");
  for (const first of added) {
    const until = aliveUntil(first, rest);
    const storedBy = first.put!.call.end!.at;
    const second = added.find(({ put }) => put!.call.begin.at > storedBy && put!.call.end!.at < until);
    if (second === undefined) continue;
    found.push({
      rule: "key",
      text: `${second.id} was stored at ${beginOf(second)} under the key of ${first.id}, which lived until ${until}`,
    });
  }
  return found;
}

/** It surely lived up to here: leased by somebody, or still there. */
function aliveUntil({ id, deliveries }: JobHistory, rest: Rest): number {
  return rest.has(id) ? Infinity : Math.max(0, ...deliveries.map(({ heldUntil }) => heldUntil - SLACK));
}

function rightName(jobs: readonly JobHistory[], { jobs: all }: History): Violation[] {
  return jobs.flatMap(({ id, put }): Violation[] => {
    const told = put!.call.end?.duplicates?.[id];
    if (told === undefined || all.get(told)?.put?.job.key === put!.job.key) return [];
    return [{ rule: "key", text: `${id} was told to be a duplicate of ${told}, which has another key` }];
  });
}

/** Those that have a name, by it. */
function groupBy(jobs: readonly JobHistory[], nameOf: (job: JobHistory) => string | undefined): JobHistory[][] {
  const groups = new Map<string, JobHistory[]>();
  for (const job of jobs) {
    const name = nameOf(job);
    if (name === undefined) continue;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [job]);
    else group.push(job);
  }
  return [...groups.values()];
}
