/** The `globalSetup` of test files that need Tarantool. */
import { type GlobalSetup, globalSetup } from "./global-setup.ts";

const servers: GlobalSetup = globalSetup(["tarantool"]);

/** Called by vitest before the first test file. */
export const setup: GlobalSetup["setup"] = servers.setup;
/** Called by vitest after the last. */
export const teardown: GlobalSetup["teardown"] = servers.teardown;
