/** A server is not to be had. The message says what was tried. */
export class Unavailable extends Error {
  override name = "Unavailable";
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
