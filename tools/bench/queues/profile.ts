/** A CPU profile of the timed part of a run alone: filling and auditing would drown it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { join } from "node:path";

/** Runs `work`; with a folder, under the profiler, which makes it slower. Writes one `.cpuprofile` a run. */
export async function profiled(folder: string | undefined, name: string, work: () => Promise<void>): Promise<void> {
  if (folder === undefined) return work();
  using session = disposable(new Session());
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.start");
  await work();
  const { profile } = await session.post("Profiler.stop");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.cpuprofile`), JSON.stringify(profile));
}

function disposable(session: Session): Session & Disposable {
  return Object.assign(session, { [Symbol.dispose]: () => session.disconnect() });
}
