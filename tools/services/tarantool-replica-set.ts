/** A Tarantool replica set of programs on this machine: one master that takes writes, and replicas that follow it. */
import { announce } from "./announce.ts";
import { startAll } from "./start-all.ts";
import type { TarantoolCfg, TarantoolSettings } from "./tarantool.ts";
import { luaTable, REPLICATOR } from "./tarantool-lua.ts";
import { startTarantoolProgram, type TarantoolProgram } from "./tarantool-program.ts";
import { until } from "./wait.ts";

/** In seconds: how often a member tries to reach another one again, and how long one that starts waits for those that are down. */
const PATIENCE = { replication_timeout: 0.25, replication_connect_timeout: 0.25 };

/** Gives a line such as `1=12 2=3`: how far it has come with what each member wrote. */
const POSITION = `
local all = {}
for id, lsn in pairs(box.info.vclock) do
  if id > 0 then table.insert(all, id .. '=' .. tostring(lsn):match('%d+')) end
end
return table.concat(all, ' ')`;

/** What set a test wants. Its `init` runs on each member: what writes asks for `box.info.ro` first. */
export interface TarantoolReplicaSetOptions extends TarantoolSettings {
  /** How many servers. Default 2. */
  readonly size?: 2 | 3;
}

/** A replica set that belongs to the test. Nobody elects a master: that is `promote`. */
export interface TarantoolReplicaSet {
  /** All of its servers; the first is the master at first. Each can be paused, killed and started again by itself. */
  readonly members: readonly TarantoolProgram[];
  /** The member that was made the master last, whether it runs or not. */
  readonly master: TarantoolProgram;
  /**
   * Make this member the master. The old one gets read-only first, and the new one has all of its writes; but not when it is
   * down or paused: a paused one that goes on believes to be the master still. It is none when it starts again.
   */
  promote(index: number): Promise<void>;
  /** Resolves when all members that run have what the master has. The master must run. */
  inSync(): Promise<void>;
  close(): Promise<void>;
}

/** Start a set; resolves when all follow the master. Rejects with Unavailable when there is no program. */
export async function startTarantoolReplicaSet(options: TarantoolReplicaSetOptions = {}): Promise<TarantoolReplicaSet> {
  const set = new ReplicaSet(options);
  try {
    await set.form();
  } catch (error) {
    await set.close();
    throw error;
  }
  const { version, source } = set.master;
  announce(`Tarantool ${version} from ${source}, a replica set of ${set.members.length}`);
  return set;
}

class ReplicaSet implements TarantoolReplicaSet {
  readonly members: TarantoolProgram[] = [];
  readonly #size: number;
  readonly #settings: TarantoolSettings;
  #master: TarantoolProgram | undefined;

  constructor({ size = 2, ...settings }: TarantoolReplicaSetOptions) {
    this.#size = size;
    this.#settings = settings;
  }

  get master(): TarantoolProgram {
    return this.#master!;
  }

  /** The master makes the data by itself, the others get them from it, and then each knows all. */
  async form(): Promise<void> {
    this.#master = await this.#start({ replication_connect_quorum: 0 });
    this.members.push(this.#master);
    const first = { read_only: true, replication: this.#uris(), replication_connect_quorum: 1 };
    this.members.push(...(await startAll(this.#size - 1, async () => this.#start(first))));
    const all = luaTable(this.#replication());
    await Promise.all(this.members.map(async (member) => member.admin(`box.cfg(${all})`)));
    await this.inSync();
  }

  async promote(index: number): Promise<void> {
    const next = this.members[index];
    if (next === undefined || !next.runs) throw new Error(`Member ${index} of the replica set does not run.`);
    const old = this.master;
    if (old !== next && old.runs) {
      await old.admin("box.cfg{read_only = true}");
      await follows(next, await positionOf(old));
    }
    await next.admin("box.cfg{read_only = false}");
    this.#master = next;
  }

  async inSync(): Promise<void> {
    const position = await positionOf(this.master);
    const running = this.members.filter(({ runs }) => runs);
    await Promise.all(running.map(async (member) => follows(member, position)));
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map(async (member) => member.close()));
  }

  /** It starts with these settings at first, and later as what it is then. */
  async #start(first: TarantoolCfg): Promise<TarantoolProgram> {
    const known: { member?: TarantoolProgram } = {};
    const cfg = (): TarantoolCfg =>
      known.member === undefined ? first : { ...this.#replication(), read_only: known.member !== this.master };
    known.member = await startTarantoolProgram(() => ({
      ...this.#settings,
      cfg: { ...cfg(), ...this.#settings.cfg },
    }));
    return known.member;
  }

  #replication(): TarantoolCfg {
    return { replication: this.#uris(), replication_connect_quorum: 0, ...PATIENCE };
  }

  #uris(): readonly string[] {
    return this.members.map(({ host, port }) => `${REPLICATOR}@${host}:${port}`);
  }
}

/** By member: how many of its writes are there. */
type Position = ReadonlyMap<string, number>;

async function positionOf(member: TarantoolProgram): Promise<Position> {
  const parts = (await member.admin(POSITION)).split(" ").map((part) => part.split("="));
  return new Map(parts.map(([id, lsn]) => [id!, Number(lsn)]));
}

async function follows(member: TarantoolProgram, position: Position): Promise<void> {
  await until(`${member.host}:${member.port} follows`, async () => {
    const reached = await positionOf(member);
    return [...position].every(([id, lsn]) => (reached.get(id) ?? 0) >= lsn);
  });
}
