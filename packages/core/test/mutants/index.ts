/** Every mutant. One file for each file of rules. */
import type { Mutant } from "./mutant.ts";
import { order } from "./order.ts";
import { priority } from "./priority.ts";
import { keys } from "./keys.ts";
import { groups } from "./groups.ts";

export const mutants: readonly Mutant[] = [...order, ...priority, ...keys, ...groups];
