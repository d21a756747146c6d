import { inspect } from "node:util";

/** Marks the class across copies of the package in one process. */
const BRAND = Symbol.for("@pq/UnrecoverableError");

/** Throw it in a handler, or give it to `fail`: no further attempt can help, the job is buried at once. */
export class UnrecoverableError extends Error {
  override readonly name = "UnrecoverableError";

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** Is this an `UnrecoverableError`, of whatever copy of the package? */
export function isUnrecoverable(error: unknown): boolean {
  return typeof error === "object" && error !== null && BRAND in error;
}

/** What is kept of an error, in bytes and in lines. */
const MOST_BYTES = 4096;
const MOST_LINES = 10;

/** The text that is stored as `lastError`: message and the first lines of the stack, at most 4 KiB of well-formed UTF-8. */
export function errorText(error: unknown): string {
  // Of more characters no byte would be kept.
  const bytes = Buffer.from(describe(error).slice(0, MOST_BYTES + 1));
  if (bytes.length <= MOST_BYTES) return bytes.toString();
  // Back to the beginning of a character.
  let end = MOST_BYTES - 3;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return `${bytes.toString("utf8", 0, end)}…`;
}

/** Its message alone. Like the text it never throws, whatever was thrown. */
export function errorMessage(error: unknown): string {
  try {
    const message: unknown = error instanceof Error ? error.message : undefined;
    if (typeof message === "string") return message;
  } catch {
    // Described as what is no error.
  }
  return errorText(error);
}

function describe(error: unknown): string {
  try {
    if (typeof error === "string") return error;
    if (!(error instanceof Error)) {
      return inspect(error, { depth: 1, maxStringLength: MOST_BYTES, breakLength: Infinity });
    }
    const title = `${error.name}: ${error.message}`;
    const frames = (error.stack ?? "").split("\n").filter((line) => line.startsWith("    at "));
    return [title, ...frames.slice(0, MOST_LINES)].join("\n");
  } catch {
    return "an error that cannot be described";
  }
}
