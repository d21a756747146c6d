import { errorText } from "./failure.ts";

type Listener<E> = (event: E) => unknown;

/**
 * Events by name, typed by a map from name to event. A listener that throws, or returns a promise that rejects, disturbs neither
 * the emitter nor other listeners: it is reported as a process warning with code `PQ_LISTENER`.
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, ReadonlySet<Listener<never>>>();

  /** Listen. Returns the way to stop. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => unknown): () => void {
    if (typeof listener !== "function") throw new TypeError("a listener must be a function");
    // Sets are copied on change, so that listeners may come and go while an event is on its way.
    this.#listeners.set(name, new Set([...(this.#listeners.get(name) ?? []), listener]));
    return () => {
      const rest = new Set(this.#listeners.get(name));
      rest.delete(listener);
      this.#listeners.set(name, rest);
    };
  }

  /** Does anybody listen? Ask before building an event on a hot path. */
  has(name: keyof Events): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  /** Tell every listener. `false` when there is none. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): boolean {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined || listeners.size === 0) return false;
    for (const listener of listeners as ReadonlySet<Listener<Events[Name]>>) call(listener, event);
    return true;
  }
}

function call<E>(listener: Listener<E>, event: E): void {
  try {
    const result = listener(event);
    if (result instanceof Promise) result.catch(warn);
  } catch (error) {
    warn(error);
  }
}

function warn(error: unknown): void {
  process.emitWarning(`a listener failed: ${errorText(error)}`, { type: "PqWarning", code: "PQ_LISTENER" });
}
