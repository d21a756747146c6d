/** Bytes of live records in each piece of a store, such as a segment of a log. A piece without any may be dropped. */
export class Usage {
  readonly #bytes = new Map<number, number>();
  #total = 0;

  /** Bytes in all pieces. */
  get total(): number {
    return this.#total;
  }

  /** Bytes in this piece. */
  of(piece: number): number {
    return this.#bytes.get(piece) ?? 0;
  }

  /** Add bytes, or with a negative number take them away. */
  add(piece: number, bytes: number): void {
    this.#total += bytes;
    const sum = this.of(piece) + bytes;
    if (sum === 0) this.#bytes.delete(piece);
    else this.#bytes.set(piece, sum);
  }

  /** Take away all that the other one counted. */
  subtract(other: Usage): void {
    for (const [piece, bytes] of other.#bytes) this.add(piece, -bytes);
  }
}
