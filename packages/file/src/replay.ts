/** What a store knows, and how the records of the log make it. */
import { ByteReader, QueueState, Usage } from "@pq/core/state";
import { replayControl } from "./calls/control.ts";
import { replayJob, replayPut } from "./calls/put.ts";
import { replayQueue } from "./calls/queue-record.ts";
import { replaySettle } from "./calls/settle.ts";
import { replayTake } from "./calls/take.ts";
import { replayTouch } from "./calls/touch.ts";
import { readJob } from "./job-record.ts";
import { Fences } from "./fences.ts";
import { CONTROL, DROP, EPOCH, JOB, LEASE, PUT, QUEUE, SETTLE, TOUCH } from "./records.ts";

/** One frame that recovery found whole: the body is `[start, end)` of `bytes`, the frame stands at `offset`. */
export interface FoundFrame {
  readonly type: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly segment: number;
  readonly offset: number;
  readonly size: number;
}

/** All queues of a folder, and what they share. */
export class Knowledge {
  readonly usage: Usage = new Usage();
  readonly queues: Map<string, QueueState> = new Map<string, QueueState>();
  readonly fences: Fences = new Fences();
  readonly #numbers = new Map<number, QueueState>();
  #lastNumber = 0;

  /** The queue of this name, made when it is new. */
  queue(name: string): QueueState {
    return this.queues.get(name) ?? this.#newQueue(name, this.#lastNumber + 1);
  }

  /** The queue of this number; with a name, made when it is new. Throws for a number that is unknown. */
  numbered(number: number, name?: string): QueueState {
    const known = this.#numbers.get(number);
    if (known !== undefined) return known;
    if (name === undefined) throw new RangeError("a checkpoint does not name its queue");
    return this.#newQueue(name, number);
  }

  /** Apply one record. */
  replay(frame: FoundFrame): void {
    const input = new ByteReader(frame.bytes, frame.start, frame.end);
    if (frame.type === EPOCH) {
      this.fences.seenEpoch(input.f64());
      return;
    }
    const number = input.u32();
    this.#lastNumber = Math.max(this.#lastNumber, number);
    const now = input.f64();
    const queue = this.#numbers.get(number) ?? this.#named(frame, number, input);
    if (queue === undefined) return;
    queue.freshTime = Math.max(queue.freshTime, now);
    queue.catchUp(now, Infinity);
    this.#apply(frame, queue, now, input);
  }

  #apply(frame: FoundFrame, queue: QueueState, now: number, input: ByteReader): void {
    switch (frame.type) {
      case QUEUE:
        input.at = frame.start + 12;
        input.skip(input.u8());
        replayQueue(queue, input);
        break;
      case JOB:
        input.at = frame.start;
        replayJob(queue, readJob(input), frame);
        break;
      case PUT:
        replayPut(queue, now, input);
        break;
      case LEASE:
        this.fences.seen(replayTake(queue, now, input));
        break;
      case SETTLE:
        replaySettle(queue, now, input);
        break;
      case TOUCH:
        replayTouch(queue, now, input);
        break;
      case CONTROL:
        replayControl(queue, now, input);
        break;
      case DROP:
        replayDrop(queue, input);
        break;
    }
  }

  /** The queue that a JOB or QUEUE record names. */
  #named(frame: FoundFrame, number: number, input: ByteReader): QueueState | undefined {
    if (frame.type !== QUEUE && frame.type !== JOB) return undefined;
    const name = input.textOf(input.u8());
    input.at = frame.start + 12;
    const known = this.queues.get(name);
    if (known === undefined) return this.#newQueue(name, number);
    this.#numbers.set(number, known);
    return known;
  }

  #newQueue(name: string, number: number): QueueState {
    const queue = new QueueState(name, number, this.usage);
    this.queues.set(name, queue);
    this.#numbers.set(number, queue);
    this.#lastNumber = Math.max(this.#lastNumber, number);
    return queue;
  }
}

function replayDrop(queue: QueueState, input: ByteReader): void {
  const words = new Int32Array(4);
  for (let left = input.u32(); left > 0; left--) {
    input.words(words);
    const slot = queue.jobs.find(words);
    if (slot >= 0) queue.remove(slot);
  }
}
