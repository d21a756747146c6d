/** `@pq/file`: queues in a folder. */
import type { Backend } from "@pq/core/backend";
import { FileBackend } from "./backend.ts";
import { type FileOptions, resolveOptions } from "./options.ts";

export { fileCapabilities } from "./capabilities.ts";
export type { FileOptions } from "./options.ts";

/**
 * A store in a folder of this machine. Durable by default: what is accepted survives a power failure.
 *
 * Opening rejects with `LOCKED` when another process owns the folder, `INCOMPATIBLE_VERSION` when a newer version of this
 * package wrote it, `CORRUPT` when it holds something else, `UNAVAILABLE` when the system refuses.
 * Throws `TypeError` and `RangeError` for wrong options.
 *
 * @example
 * const emails = new Queue<Email>("emails", { backend: file("./data") });
 */
export function file(options: string | FileOptions): Backend {
  return new FileBackend(resolveOptions(options));
}
