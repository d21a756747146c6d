/** stats: answers jobs, delayed, leased, buried, done, paused, and the fields of `meta` by name. */
import { type Script, script } from "./script.ts";

const step = String.raw`
catchUp()
finish()
return {
  call('HLEN', JOBS), call('ZCARD', DELAYED), call('ZCARD', LEASED), call('ZCARD', BURIED), call('ZCARD', DONE),
  paused and 1 or 0, unpack(call('HGETALL', META)),
}
`;

/** Count jobs. */
export const stats: Script = script({ name: "stats", step, looks: true });
