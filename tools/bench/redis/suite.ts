/** @pq/redis beside other queues on Redis and beside the raw commands. */
import type { Suite } from "../queues/suite.ts";
import { verdicts } from "./goals.ts";
import { type RedisSide, rows } from "./rows.ts";
import { MeasuredRedis, settings } from "./server.ts";

const sides: Readonly<Record<RedisSide, string>> = {
  pq: moduleOf("./sides/pq-redis.js"),
  memory: moduleOf("../queues/sides/pq-memory.js"),
  bullmq: moduleOf("./sides/bullmq.js"),
  bee: moduleOf("./sides/bee.js"),
  boringnode: moduleOf("./sides/boringnode.js"),
  raw: moduleOf("./sides/raw.js"),
};

function moduleOf(path: string): string {
  return new URL(path, import.meta.url).href;
}

/** `pnpm bench redis`. */
export const redisSuite: Suite = {
  name: "redis",
  rows,
  classes: { D0: settings.D0.title, D2: settings.D2.title },
  sides,
  preface: () => [],
  serverNote: "on the same machine, started anew for each row and emptied before each run",
  notes: [
    "Commands include those that scripts call.",
    "A backlog row puts or drains 50,000 jobs at the depth in its title, which moves by as many meanwhile.",
    "The raw commands keep no promise and audit nothing: RPUSH, LPOP with HDEL, BLPOP for latencies. They are the limit, not a rival.",
    "Stalled jobs are looked after on every side: by default where the library does it by default, every 5 s on bee-queue.",
  ],
  offered: async () => ["D0", "D2"],
  start: (durability) => MeasuredRedis.start(durability),
  verdicts,
};
