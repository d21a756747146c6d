/** Small tools for breaking one thing at a time. */
import type { Backend } from "../../src/backend.ts";
import { newRequestId } from "../../src/id.ts";
import type { ReferenceQueue } from "../../src/testing/reference/queue.ts";

/** What the operations of a queue get. */
export type PutInput = Parameters<ReferenceQueue["put"]>[0];
export type TakeInput = Parameters<ReferenceQueue["take"]>[0];

/** Makes queues of a broken class. */
export function made(Broken: new () => ReferenceQueue): () => ReferenceQueue {
  return () => new Broken();
}

/** A connection with some of its calls replaced. */
export function override(backend: Backend, calls: Partial<Backend>): Backend {
  return {
    name: backend.name,
    capabilities: backend.capabilities,
    open: (params) => backend.open(params),
    close: () => backend.close(),
    put: (params) => backend.put(params),
    take: (params) => backend.take(params),
    settle: (params) => backend.settle(params),
    touch: (params) => backend.touch(params),
    wait: (params) => backend.wait(params),
    read: (params) => backend.read(params),
    control: (params) => backend.control(params),
    stats: (queue) => backend.stats(queue),
    queues: () => backend.queues(),
    ...calls,
  };
}

/** A connection that does not recognise repetitions of this call. */
export function forgetful(call: "put" | "take" | "settle" | "touch" | "control"): (backend: Backend) => Backend {
  return (backend) => {
    const request = newRequestId;
    switch (call) {
      case "put":
        return override(backend, { put: (params) => backend.put({ ...params, request: request() }) });
      case "take":
        return override(backend, { take: (params) => backend.take({ ...params, request: request() }) });
      case "settle":
        return override(backend, { settle: (params) => backend.settle({ ...params, request: request() }) });
      case "touch":
        return override(backend, { touch: (params) => backend.touch({ ...params, request: request() }) });
      case "control":
        return override(backend, { control: (params) => backend.control({ ...params, request: request() }) });
    }
  };
}

/** Lets everything that is ready to run, run: where a broken store looks first and acts later. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Change what is readonly for everybody else. */
export function force<T extends object>(target: T | undefined, changes: Partial<T>): void {
  if (target !== undefined) Object.assign(target, changes);
}
