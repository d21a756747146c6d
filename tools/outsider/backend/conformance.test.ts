/**
 * The conformance suite, several rules at a time: most of them wait most of the time.
 * The model test is left out: it takes fast-check, which is no dependency of this store.
 */
import { describe, it } from "node:test";
import { conformance } from "@pq/core/testing";
import { harness } from "./harness.ts";

conformance(harness, { describe: (name, body) => describe(name, { concurrency: 6 }, body), it });
