import { isDuplicateKey } from "./errors.ts";

/** Run a write that makes a document where there is none. Of two that make it at once the server may refuse one: it then finds it made. */
export async function upsert<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return write();
  }
}
