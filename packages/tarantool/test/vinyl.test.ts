/** Spaces that somebody has made in the engine that is not supported. */
import { available, startTarantool } from "@pq/services";
import { expect, test } from "vitest";
import { tarantool } from "../src/index.ts";

const there = await available("tarantool", "program");

test.skipIf(!there.available)("spaces in vinyl are refused", async () => {
  const server = await startTarantool({ using: "program" });
  const backend = tarantool(server.url);
  try {
    await server.admin("box.schema.space.create('pq_jobs', { engine = 'vinyl' }) return 1");
    await expect(backend.open({ report: () => undefined })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(/vinyl.*memtx/) as string,
    });
  } finally {
    await backend.close();
    await server.close();
  }
});
