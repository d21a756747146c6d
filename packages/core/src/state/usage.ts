/** Bytes of live records in each segment. A segment without any may be dropped. */
export class Usage {
  readonly #bytes = new Map<number, number>();
  #total = 0;

  /** Bytes in all segments. */
  get total(): number {
    return this.#total;
  }

  /** Bytes in this segment. */
  of(segment: number): number {
    return this.#bytes.get(segment) ?? 0;
  }

  /** Add bytes, or with a negative number take them away. */
  add(segment: number, bytes: number): void {
    this.#total += bytes;
    const sum = this.of(segment) + bytes;
    if (sum === 0) this.#bytes.delete(segment);
    else this.#bytes.set(segment, sum);
  }

  /** Take away all that the other one counted. */
  subtract(other: Usage): void {
    for (const [segment, bytes] of other.#bytes) this.add(segment, -bytes);
  }
}
