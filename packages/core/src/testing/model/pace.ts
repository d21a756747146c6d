/**
 * How the model test makes time decidable.
 *
 * On a clock that the harness drives, store and model share that clock: spans are a few milliseconds, often the same ones, so
 * that things fall due at the very moment of a call, and everything is compared exactly.
 *
 * On real time nobody can say what comes first when two moments are close. So time is cut into ticks, much longer than the
 * store's lateness. Commands run only in the first third of a tick, and passing time means waiting for the start of a later one.
 * Everything that ends by itself (delay, lease, TTL, kept result) is made to end in the middle of a tick, give or take that
 * third, and in a tick where nothing from a former tick ends. The model's own clock stands at the start of the tick.
 * Both sides then agree on what is over at each command, and on the order in which things ended. When a command was
 * so slow that it left its third, the rest of the run proves nothing: it is given up as undecided, and counted.
 */
import type { Clock } from "../../clock.ts";
import type { Due } from "../../job.ts";
import type { TestStore } from "../harness.ts";
import { ManualClock } from "../manual-clock.ts";
import type { Span } from "./commands.ts";

/** Thrown to give up a run that proves nothing. */
export class Undecided extends Error {}

/** Time, as one run of the model test sees it. */
export interface Pace {
  /** The clock of the model. */
  readonly clock: Clock;
  /** Milliseconds from now of something that ends by itself. */
  lasting(span: Span): number;
  /** Milliseconds of the leases that a job brings along. */
  ownLease(span: Span): number;
  /** The moment when a job falls due, by the store's clock. */
  at(span: Span): Due;
  /** A moment that has been. */
  past(span: Span): Due;
  /** Let time pass for both sides. */
  pass(span: Span): Promise<void>;
  /** Called after each call of the store. Throws `Undecided` when the two sides may have seen different times. */
  check(): void;
  /** A time as it is compared: `origin` is when the job was put. */
  comparable(time: number, origin: number): number;
  /** Are these two times of the store one moment to this test? */
  sameMoment(a: number, b: number): boolean;
}

const EXACT = [1, 2, 5, 10, 20, 50, 100];

/** Store and model share a clock that the harness drives. */
export class SharedPace implements Pace {
  readonly clock: Clock;
  readonly #store: TestStore;
  readonly #unit: number;
  readonly #start: number;

  constructor(store: TestStore, precision: number) {
    this.#store = store;
    this.clock = store.clock;
    this.#unit = Math.max(1, precision);
    this.#start = store.clock.now();
  }

  lasting(span: Span): number {
    return (EXACT[span] ?? 1) * this.#unit;
  }

  ownLease(span: Span): number {
    return this.lasting(span);
  }

  at(span: Span): Due {
    return { at: this.clock.now() + this.lasting(span) };
  }

  past(span: Span): Due {
    return { at: this.clock.now() - this.lasting(span) };
  }

  pass(span: Span): Promise<void> {
    return this.#store.pass(this.lasting(span));
  }

  check(): void {}

  comparable(time: number): number {
    return time - this.#start;
  }

  sameMoment(a: number, b: number): boolean {
    return a === b;
  }
}

/** The part of a tick in which commands run. */
const WINDOW = 0.3;

/** Ticks that no run lasts. */
const LONG = 1000;

/** The store has a clock of its own, and the harness really waits. */
export class TickingPace implements Pace {
  readonly clock: ManualClock = new ManualClock();
  readonly #store: TestStore;
  readonly #tick: number;
  readonly #start: number;
  #now = 0;
  /** The ticks in which something ends, and when that was decided. */
  readonly #ends = new Map<number, number>();

  /** `tick` in milliseconds; rounded up to an even number, since the contract's times are whole, unless it is too short anyway. */
  constructor(store: TestStore, tick: number) {
    this.#store = store;
    this.#tick = tick < 1 ? tick : 2 * Math.ceil(tick / 2);
    this.#start = store.clock.monotonic();
  }

  lasting(span: Span): number {
    let end = this.#now + (span % 3);
    while ((this.#ends.get(end) ?? this.#now) !== this.#now) end++;
    this.#ends.set(end, this.#now);
    return (end - this.#now + 0.5) * this.#tick;
  }

  /** When this lease begins is not known yet, so neither is where it would end: it outlasts the run. */
  ownLease(): number {
    return (LONG + 0.5) * this.#tick;
  }

  /** The store's clock cannot be read from here, so the delay is relative. */
  at(span: Span): Due {
    return { in: this.lasting(span) };
  }

  /** A moment that is past on any clock. */
  past(span: Span): Due {
    return { at: 1 + span };
  }

  async pass(span: Span): Promise<void> {
    const ticks = 1 + (span % 2);
    this.#now += ticks;
    await this.clock.advance(ticks * this.#tick);
    const left = -this.#late();
    if (left < 0) throw new Undecided();
    await this.#store.pass(left);
    this.check();
  }

  check(): void {
    if (this.#late() > WINDOW * this.#tick) throw new Undecided();
  }

  comparable(time: number, origin: number): number {
    return Math.floor((time - origin) / this.#tick);
  }

  /** What ends in one tick was decided in one tick, so it ends within a third of a tick. */
  sameMoment(a: number, b: number): boolean {
    return Math.abs(a - b) < this.#tick / 2;
  }

  /** Milliseconds since this tick began. */
  #late(): number {
    return this.#store.clock.monotonic() - this.#start - this.#now * this.#tick;
  }
}
