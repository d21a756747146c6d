/**
 * Causes the faults. Three hands work at the same time: one on the connections, one on the server, one on the worker processes. What
 * each does next comes from the seed; when it happens to hit what, does not.
 */
import type { Client } from "./clients.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import type { Store } from "./store.ts";
import { now, pass } from "./time.ts";

/** What a nemesis works with. */
export interface NemesisParts {
  readonly store: Store;
  readonly clients: readonly Client[];
  readonly random: Random;
  readonly conductor: Recorder;
  /** In ms: longer stops than this take leases away. */
  readonly lease: number;
}

/** When it is enough. */
export interface Goals {
  readonly cuts: number;
  readonly restarts: number;
  readonly seconds: number;
}

const linkFaults = {
  cut: 5,
  "cut of all clients": 0.7,
  "lost reply": 4,
  "lost request": 3,
  "half-open": 1,
  delay: 1,
  slices: 0.7,
};
const processFaults = { "worker killed": 1, "worker stopped": 1 };

/** How long to wait for an armed loss to hit something, in ms. */
const LOSS_PATIENCE = 1500;

/** Faults, until the goals are reached and everything is healed again. */
export class Nemesis {
  readonly #parts: NemesisParts;
  readonly #busy = new Set<Client>();
  readonly #counts = new Map<string, number>();
  #cuts = 0;
  #linksCut = 0;
  #restarts = 0;

  constructor(parts: NemesisParts) {
    this.#parts = parts;
  }

  /** How often each fault happened. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Faults that cut at least one connection, those of the server's restarts apart. */
  get cuts(): number {
    return this.#cuts;
  }

  /** Connections that were open when `cut` or `half-open` cut them; a lost reply or request cuts one each. */
  get linksCut(): number {
    return this.#linksCut;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Cause faults; resolves when the goals are reached and all is healed. */
  async rage(goals: Goals, onProgress: () => void): Promise<void> {
    const began = now();
    const enough = (): boolean =>
      this.#cuts >= goals.cuts && this.#restarts >= goals.restarts && now() - began >= goals.seconds * 1000;
    const report = setInterval(onProgress, 10_000);
    await Promise.all([this.#links(enough), this.#server(enough, goals), this.#processes(enough)]);
    clearInterval(report);
  }

  // ---- connections --------------------------------------------------------------------------------------------------

  async #links(enough: () => boolean): Promise<void> {
    const { random, clients } = this.#parts;
    const running = new Set<Promise<void>>();
    while (!enough()) {
      await pass(this.#parts.store.pace * random.between(50, 450));
      const fault = random.weighted(linkFaults);
      const client = random.of(clients);
      const length = random.between(100, 2500);
      if (this.#busy.has(client)) continue;
      this.#busy.add(client);
      const hit = this.#linkFault(fault, client, length).finally(() => this.#busy.delete(client));
      const all = hit.finally(() => running.delete(all));
      running.add(all);
    }
    await Promise.all(running);
  }

  async #linkFault(fault: keyof typeof linkFaults, client: Client, length: number): Promise<void> {
    const { proxy } = client;
    const at = now();
    switch (fault) {
      case "cut":
        return this.#cut(fault, [client]);
      case "cut of all clients":
        return this.#cut(fault, this.#parts.clients);
      case "lost reply":
      case "lost request": {
        const before = proxy.statistics();
        if (fault === "lost reply") proxy.loseReply();
        else proxy.loseRequest();
        const hit = (): boolean =>
          proxy.statistics().open < before.open || proxy.statistics().connections > before.connections;
        while (!hit() && now() - at < LOSS_PATIENCE) await pass(20);
        if (hit()) this.#didCut(fault, at, 1);
        return;
      }
      case "half-open": {
        const heal = proxy.halfOpen();
        await pass(length);
        const { open } = proxy.statistics();
        heal();
        if (open > 0) this.#didCut(fault, at, open);
        return;
      }
      case "delay":
        proxy.delay(length / 10);
        await pass(length);
        proxy.delay(0);
        return this.#did(fault, at);
      case "slices":
        proxy.slice(7);
        await pass(length / 2);
        proxy.slice(Infinity);
        return this.#did(fault, at);
    }
  }

  #cut(fault: string, clients: readonly Client[]): void {
    const at = now();
    const open = clients.reduce((sum, { proxy }) => sum + proxy.statistics().open, 0);
    for (const { proxy } of clients) proxy.cut();
    if (open > 0) this.#didCut(fault, at, open);
  }

  // ---- the server ---------------------------------------------------------------------------------------------------

  async #server(enough: () => boolean, goals: Goals): Promise<void> {
    const { random, store } = this.#parts;
    const specials = Object.keys(store.specials);
    while (!enough()) {
      await pass(store.pace * random.between(300, 1600));
      const most = this.#restarts >= goals.restarts ? 0.3 : 4;
      const fault = random.weighted({ restart: most, outage: most / 4, freeze: 0.7, special: 1.5 });
      const length = random.chance(0.2) ? random.between(1, 1.5) * this.#parts.lease : random.between(100, 1000);
      const at = now();
      if (fault === "special") await this.#special(random.of(specials));
      else if (fault === "freeze") {
        const resume = store.pause();
        await pass(length);
        resume();
        this.#did(fault, at);
      } else {
        await store.stop();
        if (fault === "outage") await pass(length);
        await store.start();
        this.#restarts++;
        this.#did(fault, at);
      }
    }
  }

  async #special(name: string): Promise<void> {
    const at = now();
    const { cuts, run } = this.#parts.store.specials[name]!;
    const open = this.#parts.clients.reduce((sum, { proxy }) => sum + proxy.statistics().open, 0);
    await run();
    if (cuts && open > 0) this.#didCut(name, at, 0);
    else this.#did(name, at);
  }

  // ---- worker processes ---------------------------------------------------------------------------------------------

  async #processes(enough: () => boolean): Promise<void> {
    const { random, clients, lease } = this.#parts;
    const workers = clients.filter(({ role }) => role === "worker");
    while (!enough()) {
      await pass(this.#parts.store.pace * random.between(1000, 4000));
      const client = random.of(workers);
      const fault = random.weighted(processFaults);
      const at = now();
      if (fault === "worker killed") {
        await client.kill();
        await pass(random.between(0, 500));
        client.start();
        this.#did(fault, at);
      } else {
        const resume = client.stop();
        await pass(random.between(0.2, 2) * lease);
        resume();
        this.#did(fault, at, client.name);
      }
    }
  }

  // ---- counting -----------------------------------------------------------------------------------------------------

  #didCut(name: string, at: number, links: number): void {
    this.#cuts++;
    this.#linksCut += links;
    this.#did(name, at);
  }

  #did(name: string, at: number, process?: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.#parts.conductor.write({
      type: "fault",
      at,
      until: now(),
      name,
      ...(process === undefined ? {} : { process }),
    });
  }
}
