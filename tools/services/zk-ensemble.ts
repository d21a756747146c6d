/** A ZooKeeper ensemble of programs on this machine: several servers with one leader, which serve while a majority runs. */
import { announce } from "./announce.ts";
import { javaProgramOf } from "./java.ts";
import { kinds } from "./kinds.ts";
import { onFreePorts } from "./ports.ts";
import { until } from "./wait.ts";
import type { ZkSettings } from "./zk.ts";
import { inFolder, ZkProgram } from "./zk-program.ts";

/** In ticks: how long a member may take to catch up with a leader, and after which silence one gives up the other. */
const LIMITS = { initLimit: "20", syncLimit: "4" };
/** What ensemble a test wants. */
export interface ZkEnsembleOptions extends ZkSettings {
  /** How many servers. Default 3, which is the least that can elect another leader. */
  readonly size?: number;
}

/** An ensemble that belongs to the test. */
export interface ZkEnsemble {
  /** All of its servers. Each can be paused, killed and started again by itself; its `start` does not wait for a leader. */
  readonly members: readonly ZkProgram[];
  /** The address for clients, which names all members. */
  readonly hosts: string;
  /** Resolves with the member that leads, once there is one among those that are not paused. */
  leader(): Promise<ZkProgram>;
  /** Resolves when every member that runs serves clients. A majority must run. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Start an ensemble; resolves when all its members serve. Rejects with Unavailable when there is no program. */
export async function startZkEnsemble(options: ZkEnsembleOptions = {}): Promise<ZkEnsemble> {
  const { size = 3, ...settings } = options;
  const java = await javaProgramOf(kinds.zk);
  // Each has a port for clients, one for the other members, and one for elections.
  const ensemble = await onFreePorts(3 * size, async (ports) => {
    const servers = Object.fromEntries(
      Array.from({ length: size }, (_, at) => [
        `server.${at + 1}`,
        `127.0.0.1:${ports[size + at]}:${ports[2 * size + at]}`,
      ]),
    );
    const all = { ...settings, config: { ...LIMITS, ...servers, ...settings.config } };
    const member = async (id: number): Promise<ZkProgram> =>
      inFolder(async (folder) => new ZkProgram({ java, settings: all, id }, folder, ports[id - 1]!));
    const ids = Array.from({ length: size }, (_, at) => at + 1);
    return started(new Ensemble(await Promise.all(ids.map(member))));
  });
  const { version, source } = ensemble.members[0]!;
  announce(`ZooKeeper ${version} from ${source}, an ensemble of ${size}`);
  return ensemble;
}

async function started(ensemble: Ensemble): Promise<ZkEnsemble> {
  const starts = await Promise.allSettled(ensemble.members.map(async (member) => member.start()));
  try {
    for (const start of starts) if (start.status === "rejected") throw start.reason;
    await ensemble.ready();
    return ensemble;
  } catch (error) {
    await ensemble.close();
    throw error;
  }
}

class Ensemble implements ZkEnsemble {
  readonly members: readonly ZkProgram[];

  constructor(members: readonly ZkProgram[]) {
    this.members = members;
  }

  get hosts(): string {
    return this.members.map(({ hosts }) => hosts).join(",");
  }

  async leader(): Promise<ZkProgram> {
    let leader: ZkProgram | undefined;
    await until("a member leads", async () => {
      const running = this.members.filter(({ runs }) => runs);
      const modes = await Promise.all(running.map(modeOf));
      leader = running[modes.indexOf("leader")];
      return leader !== undefined;
    });
    return leader!;
  }

  async ready(): Promise<void> {
    await until("all members that run serve", async () => {
      const running = this.members.filter(({ runs }) => runs);
      const modes = await Promise.all(running.map(modeOf));
      return 2 * running.length > this.members.length && modes.every((mode) => mode !== undefined);
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map(async (member) => member.close()));
  }
}

/** What it is in the ensemble; undefined when it does not serve, or does not answer. */
async function modeOf(member: ZkProgram): Promise<string | undefined> {
  return member.state().then(
    ({ mode }) => mode,
    () => undefined,
  );
}
