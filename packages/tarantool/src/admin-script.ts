/** What an admin runs, where the users of the queues may not install anything. */
import { resolveOptions } from "./options.ts";
import { FORMAT, installer, SCRIPTS, source } from "./scripts.ts";

/** Lua that installs or updates the scripts, and lets these users call them. Throws a `RangeError` for a wrong prefix. */
export function adminScript(prefix: string, users: readonly string[] = []): string {
  resolveOptions({ prefix });
  const grants = users.map((user) => {
    return `box.schema.user.grant(${quoted(user)}, 'execute', 'function', '${prefix}', { if_not_exists = true })`;
  });
  return [
    `-- @pq/tarantool, scripts ${SCRIPTS} of format ${FORMAT}: run this as admin on the instance that takes writes.`,
    `local install = assert(loadstring(${bracketed(installer())}, '=pq.install'))`,
    `local format = install('${prefix}', ${FORMAT}, ${SCRIPTS}, ${bracketed(source())}, nil)`,
    `if format > ${FORMAT} then error('what is stored there is of a newer format: ' .. format) end`,
    ...grants,
  ].join("\n");
}

/** A text in Lua, as it is. */
function bracketed(text: string): string {
  let level = "=";
  while (text.includes(`]${level}]`)) level += "=";
  return `[${level}[\n${text}]${level}]`;
}

/** A name in Lua. */
function quoted(name: string): string {
  const bytes = [...Buffer.from(name)].map((byte) => `\\${byte.toString().padStart(3, "0")}`);
  return `"${bytes.join("")}"`;
}
