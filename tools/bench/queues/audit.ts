/** All delivered, none twice, none lost: or the run is void. */
import type { Payload, PayloadMaker } from "./payload.ts";

/** What an audit has counted. */
export interface Counts {
  /** How often each job came, by its number. */
  readonly times: Uint8Array;
  readonly foreign: number;
}

/** Counts how often each job of a run was delivered to its end. Cheap enough to stand in a handler. */
export class Audit {
  readonly #maker: PayloadMaker;
  readonly #seen: Uint8Array;
  #foreign = 0;

  constructor(maker: PayloadMaker, jobs: number) {
    this.#maker = maker;
    this.#seen = new Uint8Array(jobs);
  }

  /** A handler has done this job. Returns its number; -1 when it is damaged or not of this run. */
  done(payload: Payload): number {
    const index = this.#maker.indexOf(payload);
    if (index < 0 || index >= this.#seen.length) {
      this.#foreign++;
      return -1;
    }
    this.#seen[index]!++;
    return index;
  }

  /** How many jobs have not come yet. */
  get open(): number {
    return this.#seen.reduce((sum, times) => sum + (times === 0 ? 1 : 0), 0);
  }

  /** For `add` in another process. */
  get counts(): Counts {
    return { times: this.#seen, foreign: this.#foreign };
  }

  /** Add what another audit of the same jobs has counted. */
  add({ times, foreign }: Counts): void {
    for (const [index, more] of times.entries()) this.#seen[index]! += more;
    this.#foreign += foreign;
  }

  /** What is wrong, in words; empty when nothing is. `expected`: jobs 0 .. expected - 1 should have been done. */
  problems(expected: number = this.#seen.length): string[] {
    let lost = 0;
    let twice = 0;
    for (let index = 0; index < this.#seen.length; index++) {
      const times = this.#seen[index]!;
      if (times === 0 && index < expected) lost++;
      if (times > 1) twice++;
    }
    return [
      ...(lost > 0 ? [`${lost} of ${expected} jobs never came`] : []),
      ...(twice > 0 ? [`${twice} jobs came twice`] : []),
      ...(this.#foreign > 0 ? [`${this.#foreign} payloads were damaged or of another run`] : []),
    ];
  }
}
