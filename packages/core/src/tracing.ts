/** `node:diagnostics_channel` channels for tracing and metrics; `docs/tracing.md` describes them. Free while nobody subscribes. */
import { tracingChannel, type TracingChannel } from "node:diagnostics_channel";

/** What subscribers get. Node adds `result` and `error` when they are known. */
export interface TraceContext {
  readonly queue: string;
  /** The name of the backend, such as `redis`. */
  readonly backend: string;
  /** How many jobs the call is about. */
  readonly count?: number;
  /** What kind of call, for `pq:control`, `pq:read`. */
  readonly type?: string;
  /** For `pq:job`. */
  readonly jobId?: string;
  readonly attempt?: number;
}

/** Which channel: each is named `pq:` and this. */
export type TraceName = "put" | "take" | "settle" | "touch" | "control" | "read" | "job";

const CHANNELS: Readonly<Record<TraceName, TracingChannel<unknown, TraceContext>>> = {
  put: tracingChannel("pq:put"),
  take: tracingChannel("pq:take"),
  settle: tracingChannel("pq:settle"),
  touch: tracingChannel("pq:touch"),
  control: tracingChannel("pq:control"),
  read: tracingChannel("pq:read"),
  job: tracingChannel("pq:job"),
};

/** Does anybody listen to this channel? */
export function traced(name: TraceName): boolean {
  return CHANNELS[name].hasSubscribers;
}

/** Run `fn` between the channel's start and end events. Ask `traced` first, so that the context is built only when it is used. */
export function trace<T>(name: TraceName, context: TraceContext, fn: () => Promise<T>): Promise<T> {
  const result: unknown = CHANNELS[name].tracePromise(fn, context);
  return result as Promise<T>;
}
