/** A binary heap that can also remove from its middle: all in O(log n). `compare` must not change its mind about what is in it. */
export class Heap<T> {
  readonly #compare: (a: T, b: T) => number;
  readonly #items: T[] = [];
  readonly #places = new Map<T, number>();

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    this.#put(item, this.#items.length);
    this.#rise(item);
  }

  delete(item: T): void {
    const place = this.#places.get(item);
    if (place === undefined) return;
    this.#places.delete(item);
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  #put(item: T, place: number): void {
    this.#items[place] = item;
    this.#places.set(item, place);
  }

  #rise(item: T): void {
    for (let place = this.#places.get(item) ?? 0; place > 0;) {
      const above = (place - 1) >> 1;
      const other = this.#items[above];
      if (other === undefined || this.#compare(other, item) <= 0) return;
      this.#put(other, place);
      this.#put(item, above);
      place = above;
    }
  }

  #sink(item: T): void {
    for (let place = this.#places.get(item) ?? 0; ;) {
      const [below, other] = this.#lowerChild(place);
      if (other === undefined || this.#compare(item, other) <= 0) return;
      this.#put(other, place);
      this.#put(item, below);
      place = below;
    }
  }

  #lowerChild(place: number): [number, T | undefined] {
    const left = 2 * place + 1;
    const [a, b] = [this.#items[left], this.#items[left + 1]];
    return a !== undefined && b !== undefined && this.#compare(b, a) < 0 ? [left + 1, b] : [left, a];
  }
}
