/** The clock of a run: CLOCK_MONOTONIC, which all processes of one machine share. */
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds, with a fraction, since some moment that is the same for every process of this machine. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Let so many ms pass. */
export async function pass(ms: number): Promise<void> {
  await sleep(ms);
}
