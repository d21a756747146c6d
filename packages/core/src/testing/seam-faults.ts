import type { Backend } from "../backend.ts";
import { FaultyBackend, FaultyLine } from "./faulty-backend.ts";
import type { Faults } from "./harness.ts";

/** What `SeamFaults` needs to know of the store. */
export interface SeamFaultsOptions {
  /**
   * Make the store forget what a killed process would lose. Before it every connection is cut; after it, those that
   * were open are opened again (made anew, where `wrap` was given a function). Without it there is no `restart`.
   */
  readonly restart?: () => Promise<void> | void;
}

/**
 * Faults at the seam. Make one for each test store, and hand out its backends wrapped.
 *
 * @example
 * const faults = new SeamFaults({ restart: () => undefined });
 * const store: TestStore = { connect: () => faults.wrap(() => new MyBackend(folder)), faults, ... };
 */
export class SeamFaults implements Faults {
  /** There when the options name a way to restart. */
  readonly restart?: () => Promise<void>;
  readonly #line = new FaultyLine();

  constructor(options: SeamFaultsOptions = {}) {
    const { restart } = options;
    if (restart !== undefined) this.restart = () => this.#line.restart(restart);
  }

  /** A backend that these faults reach; while none is armed it passes everything on. A function makes the backend, now and again after each restart. */
  wrap(backend: Backend | (() => Backend)): Backend {
    return new FaultyBackend(this.#line, typeof backend === "function" ? backend : () => backend);
  }

  /**
   * Resolves when the store has nothing to do: no call but a `wait` is being worked on. A harness with a manual clock whose store
   * does real input and output awaits this before it moves the clock, or deadlines would be over before a disk could answer.
   */
  async idle(): Promise<void> {
    while (this.#line.working.size > 0) await Promise.allSettled(this.#line.working);
  }

  loseReply(): void {
    this.#line.losses.push("reply");
  }

  loseRequest(): void {
    this.#line.losses.push("request");
  }

  cut(): void {
    this.#line.cut();
  }

  halfOpen(): () => void {
    return this.#line.leave("half-open");
  }

  pause(): () => void {
    return this.#line.leave("paused");
  }
}
