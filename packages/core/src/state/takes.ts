/** Which slots are leased by which take: exactly those that are leased now. */
import type { RequestId } from "../job.ts";

/** The leased slots, by the request that leased them. Most takes lease one, which then needs no set. */
export class Takes {
  readonly #slots = new Map<RequestId, number | Set<number>>();

  /** The slots that this request has leased, in no order to rely on. */
  find(request: RequestId): number[] {
    const slots = this.#slots.get(request);
    if (slots === undefined) return [];
    return typeof slots === "number" ? [slots] : [...slots];
  }

  /** A slot was leased by this request. */
  add(request: RequestId, slot: number): void {
    const slots = this.#slots.get(request);
    if (slots === undefined) this.#slots.set(request, slot);
    else if (typeof slots === "number") this.#slots.set(request, new Set([slots, slot]));
    else slots.add(slot);
  }

  /** A slot that this request leased is leased no more. */
  remove(request: RequestId, slot: number): void {
    const slots = this.#slots.get(request);
    if (typeof slots === "object") {
      slots.delete(slot);
      if (slots.size > 0) return;
    }
    this.#slots.delete(request);
  }
}
