/** Checks of single arguments. Each throws a `TypeError` or `RangeError` that says what was given and what is allowed. */

/** A surrogate that is no half of a pair: text with one cannot be stored as UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Non-empty, well-formed text of at most `maxBytes` bytes of UTF-8. */
export function checkName(value: unknown, what: string, maxBytes: number): string {
  if (typeof value !== "string") throw new TypeError(`${what} must be a string, not ${kindOf(value)}`);
  if (value === "") throw new RangeError(`${what} must not be empty`);
  if (LONE_SURROGATE.test(value)) throw new TypeError(`${what} has a lone surrogate: it must be well-formed Unicode`);
  // A UTF-16 unit becomes at most 3 bytes.
  if (value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes) {
    throw new RangeError(`${what} has ${Buffer.byteLength(value)} bytes of UTF-8: at most ${maxBytes} are allowed`);
  }
  return value;
}

/** A whole number between two bounds. */
export function checkInteger(value: unknown, what: string, least: number, most: number): number {
  if (typeof value !== "number") throw new TypeError(`${what} must be a number, not ${kindOf(value)}`);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${what} is ${value}: it must be a whole number from ${least} to ${most}`);
  }
  return value;
}

/** The names that options may have: the compiler sees to it that none is missing. */
export type NamesOf<Options> = Readonly<Record<keyof Options, true>>;

/** An object of options with these names, or nothing. A name nobody knows is refused: `dealy: "5s"` must not mean at once. */
export function checkOptions<Options>(value: Options | undefined, what: string, names: NamesOf<Options>): void {
  if (value === undefined) return;
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`${what} must be an object, not ${kindOf(value)}`);
  }
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(names, name));
  if (unknown !== undefined) {
    throw new TypeError(`${what} must not have "${unknown}"; there are ${Object.keys(names).join(", ")}`);
  }
}

/** An `AbortSignal`, or nothing. */
export function checkSignal(value: unknown): void {
  if (value !== undefined && !(value instanceof AbortSignal)) {
    throw new TypeError(`signal must be an AbortSignal, not ${kindOf(value)}`);
  }
}

/** What a value is, without saying its content. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : typeof value;
}
