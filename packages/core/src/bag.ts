/** What can be in a bag: it remembers where. Of one bag at a time. */
export interface Bagged {
  /** Kept by the bag; -1 in none. */
  place: number;
}

/**
 * A set without order, for objects that come and go by the thousand. A `Set` or `Map` makes a new table time after time, and each old one
 * leads to the next: one that has grown old keeps everything alive that ever was in a later one, until the next full garbage collection.
 */
export class Bag<T extends Bagged> {
  readonly #all: T[] = [];

  get size(): number {
    return this.#all.length;
  }

  has(one: T): boolean {
    return one.place >= 0 && this.#all[one.place] === one;
  }

  add(one: T): void {
    if (this.has(one)) return;
    one.place = this.#all.length;
    this.#all.push(one);
  }

  /** Was it there? */
  delete(one: T): boolean {
    if (!this.has(one)) return false;
    const last = this.#all.pop()!;
    if (last !== one) {
      this.#all[one.place] = last;
      last.place = one.place;
    }
    one.place = -1;
    return true;
  }

  /** Those that are in it now. */
  toArray(): T[] {
    return [...this.#all];
  }
}
