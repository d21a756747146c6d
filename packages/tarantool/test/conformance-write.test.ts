import { available, startTarantool } from "@pq/services";
import { conformanceOnShared } from "./shared-harness.ts";

const there = await available("tarantool", "program");

// As the server is by default: it does not wait for the disk.
conformanceOnShared("tarantool, wal_mode write", there, () => startTarantool({ using: "program", walMode: "write" }));
