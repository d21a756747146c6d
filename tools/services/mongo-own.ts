/** A MongoDB server, or a stand-in, that belongs to the test: in a container, or a program of this machine. */
import { temporaryFolder } from "./leftovers.ts";
import type { MongoServer } from "./mongo.ts";
import { onFreePort } from "./ports.ts";
import { Program, type ProgramOptions } from "./program.ts";

/** What a server runs in. */
export interface Holder {
  readonly host: string;
  readonly port: number;
  /** Where the data are, if they are on this machine. */
  readonly folder?: string;
  /** Start it. Does nothing while it runs. */
  start(): Promise<void>;
  /** SIGKILL it; the data stay. Does nothing while it does not run. */
  kill(): Promise<void>;
  /** SIGSTOP it, until the returned function is called. */
  pause(): () => void;
  /** Kill it and remove its data. */
  remove(): Promise<void>;
}

/** Start a program on a free port of the loopback, with a new folder for its data. Rejects with StartError. */
export async function startInFolder(options: (port: number, folder: string) => ProgramOptions): Promise<Holder> {
  const folder = await temporaryFolder("mongo");
  try {
    return await onFreePort(async (port) => {
      const program = new Program(options(port, folder.path));
      await program.start();
      return {
        host: "127.0.0.1",
        port,
        folder: folder.path,
        start: async () => program.start(),
        kill: async () => program.kill(),
        pause: () => program.pause(),
        async remove() {
          await program.kill();
          await folder.remove();
        },
      };
    });
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** What a server is, apart from where it is. */
type Facts = Pick<MongoServer, "version" | "using" | "source" | "genuine" | "replicaSet" | "url">;

/** The server that runs in this holder; `ready` resolves when it can be used after another start. */
export function ownMongo(holder: Holder, facts: Facts, ready: () => Promise<void> = async () => {}): MongoServer {
  const start = async (): Promise<void> => {
    await holder.start();
    await ready();
  };
  return {
    ...facts,
    host: holder.host,
    port: holder.port,
    ...(holder.folder !== undefined && { folder: holder.folder }),
    pause: () => holder.pause(),
    stop: async () => holder.kill(),
    start,
    async restart() {
      await holder.kill();
      await start();
    },
    close: async () => holder.remove(),
  };
}
