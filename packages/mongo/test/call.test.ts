import { MongoServerError } from "mongodb";
import { describe, expect, test, vi } from "vitest";
import { Call } from "../src/call.ts";
import type { Collections } from "../src/schema.ts";
import { upsert } from "../src/upsert.ts";
import { code, rejection } from "./support.ts";

const nothing = async (): Promise<void> => undefined;

function newCall(timeout: number): Call {
  const collections = (): Collections => ({}) as Collections;
  return new Call({ address: "test", timeout, repeats: false, collections, begin: () => () => undefined }, false);
}

describe("a call", () => {
  test("whose time is over begins no further command, however quick they are", async () => {
    const call = newCall(50);
    const readOn = async (): Promise<never> => {
      for (;;) await call.read(nothing);
    };
    expect(await code(readOn())).toBe("UNAVAILABLE");
    const command = vi.fn(nothing);
    expect(await code(call.write(command))).toBe("UNAVAILABLE");
    expect(command).not.toHaveBeenCalled();
  });

  test("that has written something before its time was over is of unknown outcome", async () => {
    const call = newCall(50);
    await call.write(nothing);
    const readOn = async (): Promise<never> => {
      for (;;) await call.read(nothing);
    };
    expect(await code(readOn())).toBe("OUTCOME_UNKNOWN");
  });
});

describe("an upsert", () => {
  const duplicate = new MongoServerError({ message: "E11000 duplicate key error", code: 11_000 });

  test("finds what another has made at the same time", async () => {
    const write = vi.fn().mockRejectedValueOnce(duplicate).mockResolvedValueOnce("found");
    expect(await upsert(write)).toBe("found");
  });

  test("does not try again for ever, nor for any other reason", async () => {
    const write = vi.fn().mockRejectedValue(duplicate);
    expect(await rejection(upsert(write))).toBe(duplicate);
    expect(write).toHaveBeenCalledTimes(2);
    const other = new Error("other");
    expect(await rejection(upsert(() => Promise.reject(other)))).toBe(other);
  });
});
