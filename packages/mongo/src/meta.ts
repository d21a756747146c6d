/** What opening sees to in the store as a whole. Many may open it at once. */
import { PqError } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { type Collections, FORMAT, indexes } from "./schema.ts";
import { upsert } from "./upsert.ts";

/** Refuse a newer format (`INCOMPATIBLE_VERSION`) before anything is touched; make what is missing. */
export async function prepare(call: Call): Promise<void> {
  const format = await call.read(({ meta }) => meta.findOne({ _id: "format" }));
  if (format !== null) check(format);
  for (const name of Object.keys(indexes) as (keyof Collections)[]) {
    const wanted = [...indexes[name]];
    if (wanted.length > 0) await call.write((collections) => collections[name].createIndexes(wanted));
  }
  await upsert(() =>
    call.write(({ meta }) =>
      meta.updateOne({ _id: "format" }, { $setOnInsert: { version: FORMAT } }, { upsert: true }),
    ),
  );
}

function check(format: object): void {
  const version: unknown = "version" in format ? format.version : undefined;
  if (typeof version === "number" && version <= FORMAT) return;
  throw new PqError(
    "INCOMPATIBLE_VERSION",
    `the store has format ${String(version)}, this version of @pq/mongo knows ${FORMAT}`,
  );
}
