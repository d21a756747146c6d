/** Many workers with nothing to do: what they cost the server and the client. The figures are the server's and the process's own. */
import { setTimeout as sleep } from "node:timers/promises";
import { crowd, type Prepared, targetOf } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** After so long they have come to rest, in ms. */
const SETTLE = 1000;

/** `workers` wait for `seconds` on an empty queue. */
export async function idle(side: Side, spec: RunSpec): Promise<Prepared> {
  const { workers = 64, seconds = 60 } = spec.shape;
  const nothing = (): void => undefined;
  const options = { concurrency: 1, prefilled: false, handler: nothing, acked: nothing };
  const all = await crowd(side, targetOf(spec), options, workers);
  all.start();
  await sleep(SETTLE);
  return {
    run: () => sleep(seconds * 1000),
    figures: () => ({ minutes: seconds / 60 }),
    check: async () => [],
    end: async () => void (await all.close()),
  };
}
