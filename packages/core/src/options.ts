/** The user's options: their types, and the border at which they are checked once. Behind it everything is exact. */
import type { CallPolicy } from "./attempts.ts";
import type { Backend, Durability } from "./backend.ts";
import { type Backoff, checkBackoff } from "./backoff.ts";
import type { Capabilities } from "./capabilities.ts";
import { checkInteger, checkName, checkOptions, checkSignal, kindOf, type NamesOf } from "./check.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Codec, json } from "./codec.ts";
import { DURABILITIES } from "./durability.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { PqError } from "./errors.ts";
import type { StandardSchemaV1 } from "./schema.ts";

/** Options of a put that a queue can have defaults for. */
export interface PutDefaults {
  /** -2^31 .. 2^31-1, lower is sooner. Default 0. */
  readonly priority?: number;
  /** Ends the job while it waits, counted from the put. Default: never. */
  readonly ttl?: Duration | null;
  /** How long each lease of the job lasts. Default: as long as the consumer says. */
  readonly lease?: Duration | null;
  /** Deliveries until the job is buried; `Infinity` for no end. Default 3. */
  readonly maxAttempts?: number;
  /** How long the job waits after a failed attempt: `exponential()` or `fixed()`. Default: as the worker says. */
  readonly backoff?: Backoff | null;
  /** Keep the job's result for so long after its ack. Default `null`: not at all. */
  readonly keepResult?: Duration | null;
  /** Wait so long for room in a queue with `maxSize`. Default 0: reject with `QUEUE_FULL` at once. */
  readonly timeout?: Duration;
}

/** Options of an urgent put. */
export interface UrgentOptions extends Omit<PutDefaults, "priority"> {
  /** A UUID of your own, to repeat a put of unknown outcome safely. Default: a new one. */
  readonly id?: string;
  /** Unique among the queue's ready, delayed, leased and buried jobs: a second put answers `duplicate`. */
  readonly key?: string | null;
  /** The strict FIFO lane of the job: at most one of a group is leased at a time. */
  readonly group?: string | null;
  /** Ends the wait for room. Once the put is on its way to the store its answer is awaited, so its outcome is known. */
  readonly signal?: AbortSignal;
  /**
   * A session of the store's own client with a transaction under way (a `ClientSession` of MongoDB): the job is there if and only if that commits.
   * Needs `capabilities.transactions`. The put is tried once, and rejects with the client's own error, so that whoever runs the transaction
   * (such as `session.withTransaction`) sees whether it may be run again. Key, id and room are decided at the put; it does not wait for room.
   */
  readonly session?: object;
}

/** Options of a put. */
export interface PutOptions extends UrgentOptions {
  /** -2^31 .. 2^31-1, lower is sooner. Default 0. */
  readonly priority?: number;
  /** Ready after so long by the store's clock. Not together with `at`. */
  readonly delay?: Duration;
  /** Ready at this time by the store's clock: a date, or ms since 1970. A time that is past means at once. */
  readonly at?: Date | number;
}

const DEFAULTS: NamesOf<PutDefaults> = {
  priority: true,
  ttl: true,
  lease: true,
  maxAttempts: true,
  backoff: true,
  keepResult: true,
  timeout: true,
};

/** The names of put options. */
export const PUT_OPTIONS: NamesOf<PutOptions> = {
  ...DEFAULTS,
  id: true,
  key: true,
  group: true,
  delay: true,
  at: true,
  signal: true,
  session: true,
};

/** Options of `take`. */
export interface TakeOptions {
  /** Wait for a job: `true` until there is one, or for a duration. Default `false`; 0 is the same. */
  readonly wait?: boolean | Duration;
  /** The lease of jobs that bring none of their own, at least 1 ms. Default: the queue's. */
  readonly lease?: Duration;
  /** Ends the wait: the call rejects with its reason, and nothing is lost. */
  readonly signal?: AbortSignal;
}

const TAKE_OPTIONS: NamesOf<TakeOptions> = { wait: true, lease: true, signal: true };

/** Options of a queue. */
export interface QueueOptions<In, Out = In> {
  /** The store. Several queues may share one backend. */
  readonly backend: Backend;
  /** How payloads, results and progress become bytes. Default `json`. */
  readonly codec?: Codec;
  /** Checked at put, and again before a consumer gets the payload. Any Standard Schema validator. */
  readonly schema?: StandardSchemaV1<In, Out>;
  /** How long a lease lasts, at least 1 ms. Default 30 s. */
  readonly lease?: Duration;
  /** Most jobs that are ready, delayed and leased together. Default: no limit. */
  readonly maxSize?: number;
  /** Opening fails with `WEAK_SETTINGS` when a put survives less than this. Default: whatever the store has. */
  readonly requires?: Durability;
  /** Every call that does not wait settles within this. Default 15 s (truncate 60 s). */
  readonly deadline?: Duration;
  /** One try of a call waits so long for its answer. Default: a third of the deadline. */
  readonly attemptTimeout?: Duration;
  /** For puts that do not say otherwise. */
  readonly defaults?: PutDefaults;
  /** For tests: a clock that they drive. */
  readonly clock?: Clock;
}

const QUEUE_OPTIONS: NamesOf<QueueOptions<unknown>> = {
  backend: true,
  codec: true,
  schema: true,
  lease: true,
  maxSize: true,
  requires: true,
  deadline: true,
  attemptTimeout: true,
  defaults: true,
  clock: true,
};

/** A queue's options, resolved. */
export interface ResolvedOptions<Out> {
  readonly name: string;
  readonly backend: Backend;
  readonly capabilities: Capabilities;
  readonly codec: Codec;
  readonly schema: StandardSchemaV1<unknown, Out> | undefined;
  readonly lease: number;
  readonly maxSize: number | null;
  readonly requires: Durability;
  readonly policy: CallPolicy;
  readonly defaults: PutDefaults;
}

/** Check a queue's options and fill in the defaults. Throws `TypeError`, `RangeError`, or `UNSUPPORTED` for what the store cannot do. */
export function resolveOptions<In, Out>(name: string, options: QueueOptions<In, Out>): ResolvedOptions<Out> {
  checkParts(options);
  checkOptions<QueueOptions<In, Out>>(options, "the queue's options", QUEUE_OPTIONS);
  const { backend, codec = json, schema, requires = "memory", defaults = {} } = options;
  const { capabilities } = backend;
  checkDefaults(defaults, capabilities, backend.name);
  return {
    name: checkName(name, "the queue's name", capabilities.maxName),
    backend,
    capabilities,
    codec,
    schema,
    lease: parseDuration(options.lease ?? 30_000, "lease", 1),
    maxSize: resolveMaxSize(options.maxSize, backend),
    requires,
    policy: resolvePolicy(options),
    defaults,
  };
}

type Parts = Pick<ResolvedOptions<unknown>, "backend" | "codec" | "schema" | "requires">;

/** The parts that a user brings: backend, codec, schema. */
function checkParts(options: Partial<Parts> | null | undefined): void {
  const { backend, codec, schema, requires = "memory" } = options ?? {};
  if (typeof backend?.put !== "function") {
    throw new TypeError(
      `new Queue(name, { backend }): backend must be one, such as file("./data"), not ${kindOf(backend)}`,
    );
  }
  if (codec !== undefined && (typeof codec?.encode !== "function" || typeof codec.decode !== "function")) {
    throw new TypeError("codec must have the functions encode and decode");
  }
  if (schema !== undefined && typeof schema?.["~standard"]?.validate !== "function") {
    throw new TypeError("schema must be a Standard Schema validator (it has no ~standard.validate)");
  }
  if (!DURABILITIES.includes(requires)) throw new RangeError(`requires must be one of ${DURABILITIES.join(", ")}`);
}

function resolvePolicy(options: {
  readonly deadline?: Duration;
  readonly attemptTimeout?: Duration;
  readonly clock?: Clock;
}): CallPolicy {
  const deadline = parseDuration(options.deadline ?? 15_000, "deadline", 1);
  const attemptTimeout = parseDuration(options.attemptTimeout ?? Math.ceil(deadline / 3), "attemptTimeout", 1);
  return { clock: options.clock ?? systemClock, deadline, attemptTimeout };
}

function resolveMaxSize(maxSize: number | undefined, { name, capabilities }: Backend): number | null {
  if (maxSize === undefined) return null;
  if (!capabilities.capacity) throw unsupported("maxSize", name);
  return checkInteger(maxSize, "maxSize", 1, Number.MAX_SAFE_INTEGER);
}

/** What a default would do to every put is found out when the queue is made. */
function checkDefaults(defaults: PutDefaults, capabilities: Capabilities, store: string): void {
  checkOptions(defaults, "defaults", DEFAULTS);
  if (defaults.priority !== undefined) checkPriority(defaults.priority);
  for (const name of ["ttl", "lease", "keepResult"] as const) optionalDuration(defaults[name], name);
  if (defaults.timeout !== undefined) parseDuration(defaults.timeout, "timeout");
  if (defaults.maxAttempts !== undefined) checkMaxAttempts(defaults.maxAttempts);
  if (defaults.backoff) checkBackoff(defaults.backoff);
  if (defaults.keepResult !== undefined && defaults.keepResult !== null && !capabilities.results) {
    throw unsupported("keepResult", store);
  }
}

/** A priority. */
export function checkPriority(value: unknown): number {
  return checkInteger(value, "priority", -(2 ** 31), 2 ** 31 - 1);
}

/** A number of attempts; the seam's number for `Infinity`. */
export function checkMaxAttempts(value: unknown): number {
  if (value === Infinity) return 2 ** 31 - 1;
  return checkInteger(value, "maxAttempts", 1, 2 ** 31 - 1);
}

/** At least 1 ms, or `null`. */
export function optionalDuration(value: Duration | null | undefined, name: string): number | null {
  return value === undefined || value === null ? null : parseDuration(value, name, 1);
}

/** The error for what a store cannot do. */
export function unsupported(what: string, store: string): PqError {
  return new PqError("UNSUPPORTED", `the ${store} backend does not support ${what}`);
}

/** How long to wait: 0 for not at all, `Infinity` for ever. */
export function resolveWait(wait: unknown): number {
  if (wait === true) return Infinity;
  return wait === undefined || wait === false ? 0 : parseDuration(wait, "wait");
}

/** A take's options, resolved. */
export interface ResolvedTake {
  readonly wait: number;
  readonly lease: number;
  readonly signal: AbortSignal | undefined;
  /** Called each time the store has answered a take for this consumer, with jobs or without. */
  readonly answered?: () => void;
}

/** Check the options of a take. Throws the signal's reason when it has aborted. */
export function resolveTake(options: TakeOptions | undefined, lease: number): ResolvedTake {
  checkOptions(options, "options", TAKE_OPTIONS);
  checkSignal(options?.signal);
  options?.signal?.throwIfAborted();
  return {
    wait: resolveWait(options?.wait),
    lease: options?.lease === undefined ? lease : parseDuration(options.lease, "lease", 1),
    signal: options?.signal,
  };
}
