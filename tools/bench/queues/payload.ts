/** What every job of a benchmark carries, so that a lost, doubled or mixed-up job voids the run. */

/** A payload. As JSON it has the size that its maker was asked for. */
export interface Payload {
  /** Names the run: a job that another run left behind is found out. */
  readonly run: string;
  /** 0, 1, 2, … plus a million, so that all have the same length. */
  readonly seq: number;
  /** Of run and seq. */
  readonly sum: number;
  readonly pad: string;
}

const FIRST = 1_000_000;

/** Makes the payloads of one run. */
export class PayloadMaker {
  readonly run: string;
  readonly pad: string;
  readonly #seed: number;

  /** `size` is in bytes of JSON; `run` must be 8 ASCII characters. */
  constructor(run: string, size: number) {
    this.run = run;
    this.#seed = hash(run);
    const bare = JSON.stringify({ run, seq: FIRST, sum: checksum(this.#seed, FIRST), pad: "" }).length;
    if (size < bare) throw new RangeError(`a payload has at least ${bare} bytes`);
    this.pad = "x".repeat(size - bare);
  }

  /** The payload number `index`, from 0. */
  make(index: number): Payload {
    const seq = FIRST + index;
    return { run: this.run, seq, sum: checksum(this.#seed, seq), pad: this.pad };
  }

  /** The number of a payload that is whole and of this run; -1 for any other. */
  indexOf({ run, seq, sum, pad }: Payload): number {
    return run === this.run && sum === checksum(this.#seed, seq) && pad === this.pad ? seq - FIRST : -1;
  }
}

/** Always ten digits. */
function checksum(seed: number, seq: number): number {
  const mixed = (Math.imul(seq, 2_654_435_761) ^ seed) >>> 2;
  return 1_000_000_000 + mixed;
}

function hash(text: string): number {
  let value = 2_166_136_261;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16_777_619);
  return value;
}
