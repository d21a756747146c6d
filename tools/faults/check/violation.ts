/** What a check finds. */

/** A promise that was broken. */
export interface Violation {
  readonly rule: RuleName;
  /** What happened, with ids and times. */
  readonly text: string;
}

/** The rules, and what each says. */
export const rules = {
  lost: "an accepted job was acked, or is still in the store",
  doubled: "a put makes one job: an acked job never comes again, and no job comes that nobody put",
  refused: "a put that was told as not applied was not applied",
  torn: "putMany stores all jobs or none",
  damaged: "payloads come out as they went in",
  "second holder": "one holder while a lease is valid",
  fence: "fences rise with each delivery",
  attempt: "attempts count the deliveries and end at maxAttempts",
  early: "no job comes before its time",
  "group order": "a group is FIFO, one at a time",
  key: "one live job has a key",
  deadline: "every call settles by its deadline (and a second)",
  liveness: "after a fault has healed, jobs flow again within the lease and 60 s, through every worker",
  health: "a worker that works says so",
  process: "no process ends by itself",
  totals: "what the store says of itself agrees with what is in it",
} as const;

/** The name of a rule. */
type RuleName = keyof typeof rules;
