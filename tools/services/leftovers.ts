/**
 * Nothing stays behind: the programs and folders of this process go when it ends. A process that is killed cannot clean up;
 * on Linux the kernel ends its programs (see program.ts), and its folders are left to the system's own tidying.
 */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const actions = new Set<() => void>();

/** Do this when the process exits; it cannot wait for anything. The later ones come first. Returns how to forget it. */
export function atExit(action: () => void): () => void {
  if (actions.size === 0) process.once("exit", cleanUp);
  actions.add(action);
  return () => {
    actions.delete(action);
    if (actions.size === 0) process.off("exit", cleanUp);
  };
}

/** A folder that goes with the process, or before. */
export interface TemporaryFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** Make a temporary folder. */
export async function temporaryFolder(name: string): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), `pq-${name}-`));
  const forget = atExit(() => rmSync(path, { recursive: true, force: true }));
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true });
      forget();
    },
  };
}

function cleanUp(): void {
  for (const action of [...actions].toReversed()) action();
}
