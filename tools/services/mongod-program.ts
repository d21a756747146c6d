/** A MongoDB server started from a program of this machine. */
import { programOf } from "./find.ts";
import { kinds } from "./kinds.ts";
import { startInFolder } from "./mongo-own.ts";
import { type Mongod, mongodArguments, type MongodOptions, mongodReady } from "./mongod.ts";

/** Start the program on a free port and a new folder. Rejects with Unavailable when there is none. */
export async function startMongodProgram(options: MongodOptions): Promise<Mongod> {
  const command = await programOf(kinds.mongo);
  const holder = await startInFolder((port, folder) => {
    const args = [...mongodArguments(port, options), "--bind_ip", "127.0.0.1", "--dbpath", folder];
    return { command, args, ready: mongodReady };
  });
  return { holder, using: "program", source: `program ${command}` };
}
