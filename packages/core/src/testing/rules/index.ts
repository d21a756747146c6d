/** Every rule of the suite. One file for each concern; the id of a rule begins with the name of its file. */
import type { Rule } from "../rule.ts";
import { order } from "./order.ts";
import { priority } from "./priority.ts";
import { keys } from "./keys.ts";
import { groups } from "./groups.ts";
import { put } from "./put.ts";
import { take } from "./take.ts";
import { urgent } from "./urgent.ts";
import { capacity } from "./capacity.ts";
import { results } from "./results.ts";
import { pause } from "./pause.ts";
import { delay } from "./delay.ts";
import { ttl } from "./ttl.ts";
import { stats } from "./stats.ts";
import { read } from "./read.ts";
import { lease } from "./lease.ts";
import { fence } from "./fence.ts";
import { payloads } from "./payloads.ts";
import { names } from "./names.ts";

export const rules: readonly Rule[] = [...order, ...priority, ...keys, ...groups, ...put, ...take, ...urgent, ...capacity, ...results, ...pause, ...delay, ...ttl, ...stats, ...read, ...lease, ...fence, ...payloads, ...names];
