#!/usr/bin/env node
/** `npx pq-tarantool`: prints what an admin runs on a server whose users may not install anything. */
import { parseArgs } from "node:util";
import { adminScript } from "./admin-script.ts";

const HELP = `usage: npx pq-tarantool [--prefix pq] [--user worker] > pq.lua

Prints Lua that makes what @pq/tarantool needs on a server: run it there as admin, once for each new version of the package.
  --prefix  the option "prefix" of tarantool(), default "pq"
  --user    a user that is to be allowed to use it; may be given several times`;

const { values } = parseArgs({
  options: {
    prefix: { type: "string", default: "pq" },
    user: { type: "string", multiple: true, default: [] },
    help: { type: "boolean", short: "h", default: false },
  },
});

try {
  process.stdout.write(`${values.help ? HELP : adminScript(values.prefix, values.user)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
