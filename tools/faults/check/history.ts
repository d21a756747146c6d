/** The lines of all processes, sorted into what became of each job and each call. */
import type { Deliver, End, Event, Hold, Outcome, Put, PutJob, Query, Settle } from "../event.ts";
import { type Contact, sessionUntil } from "./sessions.ts";

/** The lines of one process. */
export interface ProcessLines {
  readonly process: string;
  readonly events: readonly Event[];
}

/** A call with its end. */
interface Call<Begin extends Put | Settle | Query = Put | Settle | Query> {
  readonly process: string;
  readonly begin: Begin;
  readonly end: End | undefined;
}

/** A settlement, with what is known of it: in a process that ended well, one without an end was told to be lost. */
export type Settlement = Call<Settle> & { readonly outcome: Outcome };

/** One time that a job was in a consumer's hands. */
export interface Delivery extends Deliver {
  readonly process: string;
  /** The lease was surely valid, and the job not being settled, from `at` to here; less than `at`: never. */
  readonly heldUntil: number;
  /** The library said that the lease is valid, and it was. */
  readonly sure: boolean;
  readonly settlement: Settlement | undefined;
}

/** All that is known of a job. */
export interface JobHistory {
  readonly id: string;
  /** How it was put; `undefined`: nobody did. */
  readonly put: { readonly job: PutJob; readonly call: Call<Put>; readonly outcome: PutOutcome } | undefined;
  /** By fence, and then by time. */
  readonly deliveries: readonly Delivery[];
  /** By the time they began. */
  readonly settlements: readonly Settlement[];
}

/** What became of the put of one job. */
type PutOutcome = "added" | "duplicate" | "unknown" | "refused";

/** All of a run. */
export interface History {
  readonly jobs: ReadonlyMap<string, JobHistory>;
  readonly calls: readonly Call[];
  /** Whose lines they are: each process that said hello. */
  readonly processes: readonly { readonly process: string; readonly bye: boolean; readonly events: readonly Event[] }[];
  /** The conductor's lines. */
  readonly conductor: readonly Event[];
}

/** The name of the conductor's lines. */
export const CONDUCTOR = "conductor";

/** Sort the lines of a run. `session`: leases are tied to sessions, which last so long without a sign of their process, in ms. */
export function historyOf(lines: readonly ProcessLines[], session?: number): History {
  const jobs = new Map<string, Draft>();
  const calls: Call[] = [];
  const processes: History["processes"][number][] = [];
  let conductor: readonly Event[] = [];
  for (const { process, events } of lines) {
    if (process === CONDUCTOR) {
      conductor = events;
      continue;
    }
    const bye = events.some(({ type }) => type === "bye");
    processes.push({ process, bye, events });
    calls.push(...readProcess({ process, events }, bye, jobs));
  }
  const limit = session === undefined ? () => Infinity : limitsOf(calls, session);
  return { jobs: new Map([...jobs].map(([id, draft]) => [id, finish(id, draft, limit)])), calls, processes, conductor };
}

interface Draft {
  put: JobHistory["put"];
  readonly deliveries: (Deliver & { readonly process: string })[];
  readonly holds: Hold[];
  readonly settlements: Settlement[];
}

function readProcess({ process, events }: ProcessLines, bye: boolean, jobs: Map<string, Draft>): Call[] {
  const draft = (id: string): Draft => {
    let found = jobs.get(id);
    if (found === undefined) jobs.set(id, (found = { put: undefined, deliveries: [], holds: [], settlements: [] }));
    return found;
  };
  const ends = new Map(events.flatMap((event) => (event.type === "end" ? [[event.call, event]] : [])));
  const calls: Call[] = [];
  for (const event of events) {
    if (event.type === "deliver") draft(event.id).deliveries.push({ ...event, process });
    if (event.type === "hold") draft(event.id).holds.push(event);
    if (event.type !== "put" && event.type !== "settle" && event.type !== "query") continue;
    const end = ends.get(event.call);
    if (event.type === "query") calls.push({ process, begin: event, end });
    else if (event.type === "put") {
      const call: Call<Put> = { process, begin: event, end };
      calls.push(call);
      for (const job of event.jobs) draft(job.id).put = { job, call, outcome: putOutcome(job.id, end) };
    } else {
      const silent = bye && event.deadline === null ? "lost" : "unknown";
      const settlement: Settlement = { process, begin: event, end, outcome: end?.outcome ?? silent };
      calls.push(settlement);
      draft(event.id).settlements.push(settlement);
    }
  }
  return calls;
}

function putOutcome(id: string, end: End | undefined): PutOutcome {
  if (end === undefined || end.outcome === "unknown") return "unknown";
  if (end.outcome !== "ok") return "refused";
  return end.duplicates !== undefined && id in end.duplicates ? "duplicate" : "added";
}

/** Up to when the session surely was there in which a process got something at a moment. */
type Limit = (process: string, at: number) => number;

/** Puts and settlements that the store has answered are signs of a process: each is a write. */
function limitsOf(calls: readonly Call[], session: number): Limit {
  const contacts = new Map<string, Contact[]>();
  for (const { process, begin, end } of calls) {
    if (begin.type === "query" || end?.outcome !== "ok") continue;
    const contact = { begin: begin.at, end: end.at };
    const known = contacts.get(process);
    if (known === undefined) contacts.set(process, [contact]);
    else known.push(contact);
  }
  for (const each of contacts.values()) each.sort((a, b) => a.begin - b.begin);
  return (process, at) => sessionUntil(contacts.get(process) ?? [], at, session);
}

function finish(id: string, { put, deliveries, holds, settlements }: Draft, limit: Limit): JobHistory {
  settlements.sort((a, b) => a.begin.at - b.begin.at);
  const known = deliveries.map((delivery): Delivery => {
    const settlement = settlements.find(({ begin }) => begin.fence === delivery.fence);
    const stop = settlement?.begin.at ?? Infinity;
    const seen = holds.filter(({ fence, at }) => fence === delivery.fence && at <= stop).map(({ at }) => at);
    const sure = [delivery.held ? delivery.at : -1, Math.min(delivery.until, stop), ...seen];
    const end = limit(delivery.process, delivery.at);
    const heldUntil = Math.min(Math.max(...sure), end);
    return { ...delivery, heldUntil, sure: delivery.held && delivery.at <= end, settlement };
  });
  known.sort((a, b) => a.fence - b.fence || a.at - b.at);
  return { id, put, deliveries: known, settlements };
}
