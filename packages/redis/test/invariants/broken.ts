/** An invariant does not hold. */
export class Broken extends Error {
  /** The names of those that do not. */
  readonly names: readonly string[];

  /** What is wrong by the name of the invariant, and the calls until then. */
  constructor(wrong: ReadonlyMap<string, readonly string[]>, calls: readonly string[]) {
    const lines = [...wrong].map(([name, details]) => `${name}: ${details.slice(0, 3).join("; ")}`);
    super(`${lines.join("\n")}\nafter call ${calls.length}, the last ones:\n${calls.slice(-6).join("\n")}`);
    this.names = [...wrong.keys()];
  }
}
