/** The version of what is stored, in the root's data. */
import { PqError } from "@pq/core/backend";
import type { Paths } from "./paths.ts";
import type { ZkClient } from "./zk-client.ts";

/** The version of the format that this package writes. */
const FORMAT = 1;

/** Write the format where there is none yet. Rejects with `INCOMPATIBLE_VERSION` when it is newer than this package, and changes nothing then. */
export async function checkFormat(zk: ZkClient, { root }: Paths): Promise<void> {
  const node = await zk.get(root);
  const text = node?.data.toString("utf8") ?? "";
  if (node === null || text === "") {
    await zk.set(root, Buffer.from(JSON.stringify({ pq: FORMAT })), -1);
    return;
  }
  const found = formatIn(text);
  if (found === FORMAT) return;
  throw new PqError(
    "INCOMPATIBLE_VERSION",
    found === null
      ? `${root} is in use for something else: choose another root`
      : `what is stored at ${root} is of format ${found}, and this version of @pq/zk knows ${FORMAT}: upgrade it`,
  );
}

function formatIn(text: string): number | null {
  try {
    const data: unknown = JSON.parse(text);
    const format = typeof data === "object" && data !== null && "pq" in data ? data.pq : null;
    return typeof format === "number" ? format : null;
  } catch {
    return null;
  }
}
