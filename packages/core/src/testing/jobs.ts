/** Jobs and settlements as the rules need them, in few words. `SeamQueue` does something with them. */
import type { Backend, Settlement } from "../backend.ts";
import { newJobId } from "../id.ts";
import type { LeaseProof, NewJob } from "../job.ts";
import type { RuleContext } from "./rule.ts";

/** A lease that no rule outlives, in milliseconds. */
export const LONG = 60_000;

/** A lease, delay or TTL that rules only wait for. */
export const SHORT = 300;

/** A lease, delay or TTL within which a rule has something to do, so that a slow server does not spoil it. */
export const WINDOW = 800;

/** What is special about a job; the rest is as plain as can be. A string stands for its payload. */
export type JobFields = Partial<Omit<NewJob, "payload">> & { readonly payload?: Uint8Array | string };

/** A job to put: ready at once, priority 0, three attempts, nothing else, unless the fields say so. */
export function newJob(fields: JobFields | string = {}): NewJob {
  const { payload = "", ...rest } = typeof fields === "string" ? { payload: fields } : fields;
  return {
    id: newJobId(),
    priority: 0,
    urgent: false,
    due: null,
    ttl: null,
    lease: null,
    key: null,
    group: null,
    maxAttempts: 3,
    keepResult: null,
    headers: "",
    ...rest,
    payload: bytes(payload),
  };
}

/** One new job for each name: its payload. */
export function jobs(...names: readonly string[]): NewJob[] {
  return names.map((name) => newJob(name));
}

/** The bytes of a text; bytes stay as they are. */
export function bytes(text: Uint8Array | string): Uint8Array {
  return typeof text === "string" ? Buffer.from(text) : text;
}

/** The payload of a job as text. */
export function text(job: { readonly payload: Uint8Array }): string {
  return Buffer.from(job.payload).toString();
}

/** The payloads of jobs as texts. */
export function texts(jobs: readonly { readonly payload: Uint8Array }[]): string[] {
  return jobs.map(text);
}

/** The settlement that says the job is done. */
export function ack({ id, fence }: LeaseProof, result: Uint8Array | null = null): Settlement {
  return { id, fence, type: "ack", result };
}

/** The settlement that gives the job back unharmed. */
export function release({ id, fence }: LeaseProof, delay = 0): Settlement {
  return { id, fence, type: "release", delay };
}

/** The settlement that sends the job to the end of its priority. */
export function requeue({ id, fence }: LeaseProof): Settlement {
  return { id, fence, type: "requeue" };
}

/** The settlement that says the attempt failed. */
export function fail({ id, fence }: LeaseProof, error = "it failed", delay = 0): Settlement {
  return { id, fence, type: "fail", delay, error };
}

/** The settlement that buries the job. */
export function bury({ id, fence }: LeaseProof, error: string | null = null): Settlement {
  return { id, fence, type: "bury", error };
}

/** Let time pass until something that lasts `ms` and began before this call is over for certain, at the store's stated lateness too. */
export function outlast(t: RuleContext, { capabilities }: Backend, ms: number): Promise<void> {
  return t.pass(ms + capabilities.lateness + capabilities.timePrecision);
}
