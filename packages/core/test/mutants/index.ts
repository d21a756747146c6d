/** Every mutant. One file for each file of rules. */
import type { Mutant } from "./mutant.ts";
import { put } from "./put.ts";
import { take } from "./take.ts";
import { order } from "./order.ts";
import { priority } from "./priority.ts";
import { urgent } from "./urgent.ts";
import { delay } from "./delay.ts";
import { ttl } from "./ttl.ts";
import { lease } from "./lease.ts";
import { fence } from "./fence.ts";
import { settle } from "./settle.ts";
import { attempts } from "./attempts.ts";
import { bury } from "./bury.ts";
import { remove } from "./remove.ts";
import { keys } from "./keys.ts";
import { groups } from "./groups.ts";
import { capacity } from "./capacity.ts";
import { results } from "./results.ts";
import { pause } from "./pause.ts";
import { stats } from "./stats.ts";
import { read } from "./read.ts";
import { payloads } from "./payloads.ts";
import { names } from "./names.ts";
import { batch } from "./batch.ts";
import { wait } from "./wait.ts";
import { concurrency } from "./concurrency.ts";
import { chained } from "./chained.ts";
import { transactions } from "./transactions.ts";
import { faults } from "./faults.ts";
import { restart } from "./restart.ts";
import { lifecycle } from "./lifecycle.ts";
import { errors } from "./errors.ts";

export const mutants: readonly Mutant[] = [
  ...put,
  ...take,
  ...order,
  ...priority,
  ...urgent,
  ...delay,
  ...ttl,
  ...lease,
  ...fence,
  ...settle,
  ...attempts,
  ...bury,
  ...remove,
  ...keys,
  ...groups,
  ...capacity,
  ...results,
  ...pause,
  ...stats,
  ...read,
  ...payloads,
  ...names,
  ...batch,
  ...wait,
  ...concurrency,
  ...chained,
  ...transactions,
  ...faults,
  ...restart,
  ...lifecycle,
  ...errors,
];
