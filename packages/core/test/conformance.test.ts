import { describe, it } from "vitest";
import { conformance } from "../src/testing/conformance.ts";
import { referenceHarness } from "../src/testing/reference/harness.ts";

conformance(referenceHarness(), { describe, it });
