/** A stage on which a test says who takes the next steps: for a race that is known, step by step. */
import { setImmediate as turn } from "node:timers/promises";
import { type Actor, Stage } from "./stage.ts";

/** Such a stage. Nobody runs it: its processes stand still unless they are let go on. */
export class Script extends Stage {
  readonly #waiting = new Map<Actor, (() => Promise<void>)[]>();

  override inTurn<T>(actor: Actor, take: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const before = this.#waiting.get(actor) ?? [];
      this.#waiting.set(actor, [...before, () => take().then(resolve, reject)]);
    });
  }

  /** Let a process take steps until this holds. */
  async until(actor: Actor, holds: () => boolean): Promise<void> {
    for (;;) {
      await turn();
      if (holds()) return;
      const [next, ...later] = this.#waiting.get(actor) ?? [];
      if (next === undefined) throw new Error("it takes no step any more");
      this.#waiting.set(actor, later);
      await next();
    }
  }

  /** Let a process take so many steps. */
  async steps(actor: Actor, count: number): Promise<void> {
    let left = count;
    await this.until(actor, () => left-- === 0);
  }

  /** Let a process go on to the end of this call. */
  async end<T>(actor: Actor, call: Promise<T>): Promise<T> {
    let over = false;
    const ended = (): void => void (over = true);
    call.then(ended, ended);
    await this.until(actor, () => over);
    return call;
  }
}
