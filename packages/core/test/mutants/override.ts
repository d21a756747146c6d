import type { Backend } from "../../src/backend.ts";

/** The same connection with some calls replaced. */
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

/** Lets everything that is ready to run, run: where a broken store looks first and acts later. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Change what is readonly for everybody else. */
export function force<T extends object>(target: T | undefined, changes: Partial<T>): void {
  if (target !== undefined) Object.assign(target, changes);
}
