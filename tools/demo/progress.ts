const WIDTH = 40;

/** A bar on a terminal, nothing elsewhere. */
export class Progress {
  readonly #total: number;
  #shown = -1;

  constructor(total: number) {
    this.#total = total;
  }

  /** Draw it anew when it changed. */
  show(done: number): void {
    const filled = Math.floor((done / this.#total) * WIDTH);
    if (!process.stdout.isTTY || filled === this.#shown) return;
    this.#shown = filled;
    process.stdout.write(`\r  [${"#".repeat(filled).padEnd(WIDTH, ".")}] ${done}/${this.#total}`);
  }

  /** Leave the line to others. */
  end(): void {
    if (process.stdout.isTTY) process.stdout.write("\r".padEnd(WIDTH + 30) + "\r");
    this.#shown = -1;
  }
}
