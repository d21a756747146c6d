/**
 * Who waits for a job of a queue, as the log has it: the longest waiting first. When n jobs become ready, the first n are woken; everybody
 * who reads the log knows who they are, so each process sees whether it is meant, and no other stirs.
 *
 * Who is woken is expected to take. If its session ends first, or it does not want a job any more, the next in line is woken in its place.
 */
import type { Member } from "./commands.ts";

/** One who waits: a member, and a number of its own. */
export interface Waiting {
  readonly member: Member;
  readonly ticket: number;
}

/** The line of a queue. */
export class Line {
  readonly #waiting = new Map<string, Waiting>();
  /** How many of a member were woken and have not come to take. */
  readonly #woken = new Map<Member, number>();
  /** Called for each who is woken. */
  onWoken: (waiting: Waiting) => void = () => undefined;

  get size(): number {
    return this.#waiting.size;
  }

  /** Get in line. */
  enter(waiting: Waiting): void {
    this.#woken.delete(waiting.member);
    this.#waiting.set(keyOf(waiting), waiting);
  }

  /** How many are before this one; -1: it is not in line. */
  rank(waiting: Waiting): number {
    if (!this.has(waiting)) return -1;
    let rank = 0;
    const key = keyOf(waiting);
    for (const other of this.#waiting.keys()) {
      if (other === key) break;
      rank++;
    }
    return rank;
  }

  has(waiting: Waiting): boolean {
    return this.#waiting.has(keyOf(waiting));
  }

  /** Wake the first `count`. */
  wake(count: number): void {
    let left = count;
    for (const [key, waiting] of this.#waiting) {
      if (left-- <= 0) return;
      this.#waiting.delete(key);
      this.#woken.set(waiting.member, (this.#woken.get(waiting.member) ?? 0) + 1);
      this.onWoken(waiting);
    }
  }

  /** The member takes: whoever of it was woken has come. */
  came(member: Member): void {
    this.#woken.delete(member);
  }

  /** This one wants no job. Returns how many must be woken in its place. */
  leave(waiting: Waiting): number {
    if (this.#waiting.delete(keyOf(waiting))) return 0;
    const woken = this.#woken.get(waiting.member) ?? 0;
    if (woken > 1) this.#woken.set(waiting.member, woken - 1);
    else this.#woken.delete(waiting.member);
    return Math.min(woken, 1);
  }

  /** The member is no more. Returns how many must be woken in the place of its own. */
  gone(member: Member): number {
    for (const [key, waiting] of this.#waiting) if (waiting.member === member) this.#waiting.delete(key);
    const woken = this.#woken.get(member) ?? 0;
    this.#woken.delete(member);
    return woken;
  }

  /** All members that are in line or were woken. */
  members(): Set<Member> {
    return new Set([...this.#woken.keys(), ...[...this.#waiting.values()].map(({ member }) => member)]);
  }

  /** Those in line, and how many of which member were woken, for a snapshot. */
  state(): { readonly waiting: readonly Waiting[]; readonly woken: readonly (readonly [Member, number])[] } {
    return { waiting: [...this.#waiting.values()], woken: [...this.#woken] };
  }

  /** Take what `state` gave. */
  restore({ waiting, woken }: ReturnType<Line["state"]>): void {
    for (const one of waiting) this.#waiting.set(keyOf(one), one);
    for (const [member, count] of woken) this.#woken.set(member, count);
  }
}

function keyOf({ member, ticket }: Waiting): string {
  return `${member}/${ticket}`;
}
