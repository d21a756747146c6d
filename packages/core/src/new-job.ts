/** From a payload and put options to the job that goes into the store. */
import type { Due, NewJob } from "./job.ts";
import { checkBackoff } from "./backoff.ts";
import type { Capabilities } from "./capabilities.ts";
import { checkName, checkOptions, checkSignal, kindOf } from "./check.ts";
import { parseDuration } from "./duration.ts";
import { PqError } from "./errors.ts";
import { writeHeaders } from "./headers.ts";
import { newJobId, parseJobId } from "./id.ts";
import {
  checkMaxAttempts,
  checkPriority,
  optionalDuration,
  PUT_OPTIONS,
  type PutDefaults,
  type PutOptions,
  unsupported,
} from "./options.ts";

/** Attempts of a job whose producer says nothing. */
const DEFAULT_ATTEMPTS = 3;

/** A job without its payload and id: what put options come to. */
export type JobTemplate = Omit<NewJob, "id" | "payload">;

/** Makes jobs for one queue. */
export class JobMaker {
  readonly #capabilities: Capabilities;
  readonly #store: string;
  readonly #defaults: PutDefaults;
  /** For puts without options, so that they need not be worked out each time. */
  readonly #plain: JobTemplate;

  constructor(store: string, capabilities: Capabilities, defaults: PutDefaults) {
    this.#store = store;
    this.#capabilities = capabilities;
    this.#defaults = defaults;
    this.#plain = this.template({}, false);
  }

  /** A new job. Throws `TypeError`, `RangeError`, `UNSUPPORTED` or `PAYLOAD_TOO_LARGE`. */
  make(payload: Uint8Array, options: PutOptions | undefined, urgent: boolean): NewJob {
    this.checkSize(payload, "the payload");
    checkOptions(options, "options", PUT_OPTIONS);
    const template = options === undefined && !urgent ? this.#plain : this.template(options ?? {}, urgent);
    // Spelt out: a spread costs as much as the rest of a put.
    return {
      id: options?.id === undefined ? newJobId() : parseJobId(options.id),
      payload,
      priority: template.priority,
      urgent: template.urgent,
      due: template.due,
      ttl: template.ttl,
      lease: template.lease,
      key: template.key,
      group: template.group,
      maxAttempts: template.maxAttempts,
      keepResult: template.keepResult,
      headers: template.headers,
    };
  }

  /** Throws `PAYLOAD_TOO_LARGE` when there are more bytes than the store takes. */
  checkSize(bytes: Uint8Array, what: string): void {
    const { maxPayload } = this.#capabilities;
    if (bytes.length > maxPayload) {
      throw tooLarge(bytes.length, {
        what,
        name: "maxPayload",
        most: maxPayload,
        store: this.#store,
        remedy: "Keep them elsewhere and store where they are",
      });
    }
  }

  /** Throws `PAYLOAD_TOO_LARGE` when the store cannot put these jobs in one step, `TypeError` when ids that were `given` are the same. */
  checkBatch(jobs: readonly NewJob[], given: boolean): void {
    const { maxBatch, maxBatchBytes } = this.#capabilities;
    if (jobs.length > maxBatch) {
      throw new PqError(
        "PAYLOAD_TOO_LARGE",
        `${jobs.length} jobs are more than maxBatch of the ${this.#store} backend: ${maxBatch}. Put them by several calls.`,
      );
    }
    const size = jobs.reduce((sum, { payload }) => sum + payload.length, 0);
    if (size > maxBatchBytes) {
      throw tooLarge(size, {
        what: "the jobs together",
        name: "maxBatchBytes",
        most: maxBatchBytes,
        store: this.#store,
        remedy: "Put them by several calls",
      });
    }
    if (given && new Set(jobs.map(({ id }) => id)).size < jobs.length) {
      throw new TypeError("jobs of one call must have different ids");
    }
  }

  /** What these options come to. */
  template(given: PutOptions, urgent: boolean): JobTemplate {
    checkSignal(given.signal);
    this.#checkSession(given);
    if (urgent) refuse(given, ["delay", "at", "priority"], "an urgent job comes before every other");
    const options = { ...this.#defaults, ...definedOf(given) };
    const { keys, groups, results } = this.#capabilities;
    const keepResult = optionalDuration(options.keepResult, "keepResult");
    if (keepResult !== null && !results) throw unsupported("keepResult", this.#store);
    const backoff = options.backoff ? checkBackoff(options.backoff) : null;
    if (options.timeout !== undefined) parseDuration(options.timeout, "timeout");
    return {
      priority: urgent ? 0 : checkPriority(options.priority ?? 0),
      urgent,
      due: dueOf(options),
      ttl: optionalDuration(options.ttl, "ttl"),
      lease: optionalDuration(options.lease, "lease"),
      key: this.#name(options.key, "key", keys),
      group: this.#name(options.group, "group", groups),
      maxAttempts: checkMaxAttempts(options.maxAttempts ?? DEFAULT_ATTEMPTS),
      keepResult,
      headers: writeHeaders({ keepsResult: keepResult !== null, backoff }),
    };
  }

  #checkSession({ session, timeout }: PutOptions): void {
    if (session === undefined) return;
    if (typeof session !== "object" || session === null) {
      throw new TypeError(`session must be a session of the store's client, not ${kindOf(session)}`);
    }
    if (!this.#capabilities.transactions) {
      const remedy =
        "put the job once your transaction has committed, or use a store whose capabilities.transactions is true";
      throw new PqError("UNSUPPORTED", `the ${this.#store} backend takes part in no transaction (session): ${remedy}`);
    }
    if (timeout !== undefined) {
      throw new TypeError("session and timeout exclude each other: a transaction does not see room that others make");
    }
  }

  #name(value: string | null | undefined, what: string, supported: boolean): string | null {
    if (value === undefined || value === null) return null;
    if (!supported) throw unsupported(what, this.#store);
    return checkName(value, what, this.#capabilities.maxName);
  }
}

/** An option that is `undefined` is not given: the default holds. */
function definedOf(options: PutOptions): PutOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function refuse(given: PutOptions, names: readonly (keyof PutOptions)[], why: string): void {
  const found = names.find((name) => given[name] !== undefined);
  if (found !== undefined) throw new TypeError(`${found} is not allowed here: ${why}`);
}

function dueOf({ delay, at }: PutOptions): Due | null {
  if (delay !== undefined && at !== undefined) throw new TypeError("delay and at exclude each other");
  if (at !== undefined) return { at: timeOf(at) };
  const ms = delay === undefined ? 0 : parseDuration(delay, "delay");
  return ms === 0 ? null : { in: ms };
}

function timeOf(at: unknown): number {
  if (typeof at !== "number" && !(at instanceof Date)) {
    throw new TypeError(`at must be a Date or ms since 1970, not ${kindOf(at)}`);
  }
  const time = Math.ceil(Number(at));
  if (!Number.isSafeInteger(time) || time < 0) {
    throw new RangeError(`at is ${String(at)}: it must be a time since 1970`);
  }
  return time;
}

/** A limit, and what to do about it. */
interface Limit {
  readonly what: string;
  readonly name: string;
  readonly most: number;
  readonly store: string;
  readonly remedy: string;
}

function tooLarge(size: number, { what, name, most, store, remedy }: Limit): PqError {
  return new PqError(
    "PAYLOAD_TOO_LARGE",
    `${what}: ${size} bytes are more than ${name} of the ${store} backend: ${most} bytes. ${remedy}.`,
  );
}
