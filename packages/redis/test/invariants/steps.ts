/** Random steps, as data. They name jobs and leases by numbers, which stand for one of those that there are. */
import type { JobState, NewJob, Settlement } from "@pq/core/backend";
import * as fc from "fast-check";

/** A job to put; its id is one of those that the sequence uses. */
export type JobPlan = Omit<NewJob, "id" | "payload" | "headers"> & { readonly id: number };

type Ways<S> = S extends Settlement ? Omit<S, "id" | "fence"> : never;
/** What to do with a lease. */
type Way = Ways<Settlement>;

/** A step that changes something. */
export type Act =
  | {
      readonly act: "put";
      readonly jobs: readonly JobPlan[];
      readonly maxSize: number | null;
      readonly partial: boolean;
    }
  | { readonly act: "take"; readonly limit: number; readonly lease: number }
  /** The oldest leases, in any state by now. */
  | { readonly act: "settle"; readonly ways: readonly Way[] }
  | { readonly act: "touch"; readonly leases: readonly number[]; readonly progress: boolean }
  | { readonly act: "kick"; readonly limit: number }
  | { readonly act: "dig" | "delete"; readonly ids: readonly number[] }
  | { readonly act: "truncate" | "pause" | "resume" };

/** A step that changes nothing by itself. */
export type Look =
  | { readonly look: "ids"; readonly ids: readonly number[] }
  | { readonly look: "page"; readonly state: JobState }
  | { readonly look: "stats" }
  | { readonly look: "wait"; readonly ms: number }
  /** The call so many back once more, with the same request id. */
  | { readonly look: "repeat"; readonly back: number }
  | { readonly look: "pass"; readonly ms: number };

/** One step. */
type Step = Act | Look;

/** What a sequence is made of. */
export interface Plan {
  /** Each job has a new id; else ids come back, also while their jobs are there. */
  readonly newIds: boolean;
  /** Processes wait. */
  readonly waits: boolean;
  readonly steps: readonly Step[];
}

/** One of these, as likely as it stands here often. */
function oneOf<T>(...values: readonly T[]): fc.Arbitrary<T> {
  return fc.constantFrom(...values);
}

function upTo(most: number): fc.Arbitrary<number> {
  return fc.integer({ min: 1, max: most });
}

/** Seldom: something; else nothing. */
function seldom<T>(arbitrary: fc.Arbitrary<T>, freq: number): fc.Arbitrary<T | null> {
  return fc.option(arbitrary, { nil: null, freq });
}

const id = fc.nat();
const ids = fc.array(id, { minLength: 1, maxLength: 10 });
const due = seldom(fc.record({ in: fc.nat(25) }), 1);
const maxAttempts = oneOf(1, 2, 3, 300);
const ownLease = fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: upTo(30) });

const plain: fc.Arbitrary<JobPlan> = fc.record({
  id,
  maxAttempts,
  lease: ownLease,
  due: fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: due }),
  priority: fc.constant(0),
  urgent: fc.constant(false),
  ttl: fc.constant(null),
  key: fc.constant(null),
  group: fc.constant(null),
  keepResult: fc.constant(null),
});

/** As most jobs are: the express parts of the scripts are for these alone. */
const bare: fc.Arbitrary<JobPlan> = plain.map((plan) => ({ ...plan, lease: null, due: null, maxAttempts: 3 }));

const rich: fc.Arbitrary<JobPlan> = fc.record({
  id,
  maxAttempts,
  lease: ownLease,
  due: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 2, arbitrary: due }),
  priority: oneOf(0, 0, 1, -1),
  urgent: oneOf(true, false, false, false, false),
  ttl: fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: upTo(50) }),
  key: oneOf(null, null, null, null, "k1", "k2", "k3"),
  group: oneOf(null, null, null, "g", "h", "gg"),
  keepResult: fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: upTo(40) }),
});

const way: fc.Arbitrary<Way> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Way>({ type: "ack", result: null }) },
  { weight: 1, arbitrary: fc.constant<Way>({ type: "ack", result: Buffer.from("r") }) },
  { weight: 1, arbitrary: oneOf(0, 0, 5, 20).map((delay): Way => ({ type: "release", delay })) },
  { weight: 1, arbitrary: fc.constant<Way>({ type: "requeue" }) },
  { weight: 1, arbitrary: oneOf(0, 5).map((delay): Way => ({ type: "fail", delay, error: "e" })) },
  { weight: 2, arbitrary: oneOf(null, "b").map((error): Way => ({ type: "bury", error })) },
);

/** Jobs of one call, few or many, of one of these kinds. */
function jobs(kinds: readonly fc.Arbitrary<JobPlan>[]): fc.Arbitrary<JobPlan[]> {
  const some = fc.record({ kind: fc.constantFrom(...kinds), maxLength: oneOf(1, 4, 12) });
  return some.chain(({ kind, maxLength }) => fc.array(kind, { minLength: 1, maxLength, size: "max" }));
}

/** What does not depend on the kinds of jobs. */
const others: readonly { readonly weight: number; readonly arbitrary: fc.Arbitrary<Step> }[] = [
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("take" as const),
      limit: oneOf(1, 2, 5, 100),
      lease: fc.oneof(upTo(10), upTo(40), upTo(300)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ act: fc.constant("settle" as const), ways: fc.array(way, { minLength: 1, maxLength: 6 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant("touch" as const),
      leases: fc.array(fc.nat(60), { minLength: 1, maxLength: 5 }),
      progress: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("kick" as const), limit: upTo(6) }) },
  { weight: 3, arbitrary: fc.record({ act: oneOf("dig" as const, "delete" as const, "delete" as const), ids }) },
  { weight: 2, arbitrary: fc.record({ look: fc.constant("ids" as const), ids }) },
  { weight: 2, arbitrary: oneOf<Step>({ act: "pause" }, { act: "resume" }, { act: "resume" }, { look: "stats" }) },
  {
    weight: 1,
    arbitrary: fc.record({
      look: fc.constant("page" as const),
      state: oneOf<JobState>("ready", "delayed", "leased", "buried", "done"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ look: fc.constant("wait" as const), ms: upTo(40) }) },
  { weight: 2, arbitrary: fc.record({ look: fc.constant("repeat" as const), back: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ look: fc.constant("pass" as const), ms: fc.oneof(fc.nat(2), fc.nat(15)) }) },
];

/** A put, or one of the others. */
function step(kinds: readonly fc.Arbitrary<JobPlan>[]): fc.Arbitrary<Step> {
  const put = fc.record({
    act: fc.constant("put" as const),
    jobs: jobs(kinds),
    maxSize: oneOf(null, null, null, null, 15),
    partial: fc.boolean(),
  });
  return fc.oneof({ weight: 8, arbitrary: put }, ...others);
}

/** Kinds of jobs that are in a queue together. */
const mixes = [[bare], [bare, plain], [bare, plain, rich], [rich]] as const;

/** Plans of so many steps. */
export function plans(steps: number): fc.Arbitrary<Plan> {
  const truncate = { weight: 1, arbitrary: fc.constant<Step>({ act: "truncate" }) };
  const size = { minLength: steps, maxLength: steps, size: "max" } as const;
  return fc.constantFrom(...mixes).chain((kinds) =>
    fc.record({
      newIds: fc.boolean(),
      waits: fc.boolean(),
      steps: fc.array(fc.oneof({ weight: 150, arbitrary: step(kinds) }, truncate), size),
    }),
  );
}
