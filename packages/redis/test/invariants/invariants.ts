/**
 * What holds of the keys of a queue after every call. Each invariant is a function that gives what is wrong, and nothing when all is well;
 * its comment is its statement.
 */
import { differences, differentNames, hex } from "./compare.ts";
import { groupsPointAtTheirOccupant, headsOfLanesAreOffered, lanesHoldTheMembersInOrder } from "./group-invariants.ts";
import type { Bytes, Job, Kind, Stored } from "./stored.ts";

/** What is wrong, if anything. */
export type Invariant = (stored: Stored) => readonly string[];

/** The score of urgent jobs. */
const URGENT = -2_147_483_649;

/** Where a job stands among those that are delivered in order: the member and score of `ordered` or `blocked`. */
function placeOf({ id, lane, position, features }: Job): readonly [Bytes, number] {
  return lane === "u" ? [`0${position}${id}`, URGENT] : [lane + position + id, features.priority];
}

function ofKind({ all }: Stored, ...kinds: readonly Kind[]): Job[] {
  return all.filter(({ kind }) => kinds.includes(kind));
}

function places(jobs: readonly Job[]): Map<Bytes, number> {
  return new Map(jobs.map(placeOf));
}

function sameIds(actual: Iterable<Bytes>, jobs: readonly Job[]): string[] {
  return differentNames(
    actual,
    jobs.map(({ id }) => id),
  );
}

/** The list holds each job without a state once, and each that is gone, and nothing else; a job that is gone from it may stand elsewhere. */
function listHoldsJobsWithoutState(stored: Stored): string[] {
  const { list, gone } = stored;
  const ids = list.map(({ id }) => id);
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `${hex(id)} is in the list twice`);
  const strayed = [...gone].filter((id) => !ids.includes(id)).map((id) => `${hex(id)} is gone and not in the list`);
  return [
    ...twice,
    ...strayed,
    ...sameIds(
      ids.filter((id) => !gone.has(id)),
      ofKind(stored, "f"),
    ),
  ];
}

/** Positions rise along the list. */
function listIsInOrder({ list }: Stored): string[] {
  const wrong = list.filter(({ position }, at) => at > 0 && position <= list[at - 1]!.position);
  return wrong.map(({ position }) => `${hex(position)} comes after a later one`);
}

/** No two jobs have the same position. */
function positionsAreUnique({ all, list, gone }: Stored): string[] {
  const listed = list.filter(({ id }) => !gone.has(id));
  const positions = [...all, ...listed].map(({ position }) => position).filter((position) => position !== "");
  return positions.filter((position, at) => positions.indexOf(position) !== at).map(hex);
}

/** Only jobs of priority 0 without group and TTL stand in the list. */
function listHoldsSimpleJobs(stored: Stored): string[] {
  const others = ofKind(stored, "f").filter(
    ({ features: f }) => f.priority !== 0 || f.group !== null || f.ttl !== null,
  );
  return others.map(({ id }) => hex(id));
}

/** Each state belongs to a job, and repeats the first bytes of its record. */
function statesFitRecords({ all, states, jobs }: Stored): string[] {
  const wrong = all
    .filter(({ head, record }) => head !== record.slice(0, 2))
    .map(({ id }) => `${hex(id)} has another head`);
  const orphans = [...states.keys()].filter((id) => !jobs.has(id)).map((id) => `${hex(id)} has a state and no record`);
  return [...wrong, ...orphans];
}

/** A job has features if its record says so, and nothing else has. */
function featuresFitRecords({ all, features }: Stored): string[] {
  return sameIds(
    features.keys(),
    all.filter(({ record }) => record.charCodeAt(0) % 2 === 1),
  );
}

/** `ordered` holds the ready jobs that are not in the list, by priority, lane and position. */
function orderedHoldsReadyJobs(stored: Stored): string[] {
  return differences(stored.ordered, places(ofKind(stored, "r")));
}

/** `blocked` holds the ready jobs that their group holds back, by the same. */
function blockedHoldsWaitingJobs(stored: Stored): string[] {
  return differences(stored.blocked, places(ofKind(stored, "w")));
}

/** `delayed` holds the delayed jobs. */
function delayedHoldsDelayedJobs(stored: Stored): string[] {
  const members = [...stored.delayed.keys()];
  const wrong = ofKind(stored, "d").filter(({ position, id }) => !stored.delayed.has(position + id));
  return [
    ...wrong.map(({ id }) => `${hex(id)} is not there`),
    ...sameIds(
      members.map((member) => member.slice(7)),
      ofKind(stored, "d"),
    ),
  ];
}

/** `leased`, `buried` and `done` hold the jobs of those states. */
function setsHoldTheirJobs(stored: Stored): string[] {
  const { leased, buried, done } = stored;
  return [
    ...sameIds(leased.keys(), ofKind(stored, "l")),
    ...sameIds(buried.keys(), ofKind(stored, "b")),
    ...sameIds(done.keys(), ofKind(stored, "e")),
  ];
}

/** `ends` holds the jobs with a TTL while they are ready or delayed, with the moment at which it ends, and those that are done. */
function endsHoldWhatEnds(stored: Stored): string[] {
  const { ends } = stored;
  const mortal = ofKind(stored, "r", "w", "d").filter(({ features: { ttl } }) => ttl !== null);
  const done = ofKind(stored, "e").map(({ id }) => [id, ends.get(id) ?? Number.NaN] as const);
  return differences(
    ends,
    new Map([...mortal.map(({ id, createdAt, features }) => [id, createdAt + features.ttl!] as const), ...done]),
  );
}

/** `extras` holds what the marks of jobs say, and nothing else. */
function extrasFitMarks({ all, extras }: Stored): string[] {
  const letters = ["e", "p", "r"];
  const marked = all.flatMap(({ id, marks }) =>
    letters.filter((_, bit) => (marks >> bit) % 2 === 1).map((letter) => letter + id),
  );
  return differentNames(extras.keys(), marked);
}

/** `names` holds the key of each job that is not done, and no key belongs to two. */
function namesHoldKeys(stored: Stored): string[] {
  const holders = stored.all.filter(({ kind, features }) => kind !== "e" && features.key !== null);
  const keys = holders.map(({ features }) => features.key!);
  const twice = keys.filter((key, at) => keys.indexOf(key) !== at).map((key) => `${key} belongs to two`);
  return [...twice, ...differences(stored.names, new Map(holders.map(({ id, features }) => [features.key!, id])))];
}

/** `takes` counts the leases that each take still holds, knows their ids, and forgets it with the last. */
function takesCountLeases(stored: Stored): string[] {
  const { takes } = stored;
  const expected = new Map<Bytes, string>();
  const strangers: string[] = [];
  for (const { id, fence } of ofKind(stored, "l")) {
    const ids = takes.get(`i${fence}`) ?? "";
    const taken = Array.from({ length: ids.length / 16 }, (_, at) => ids.slice(16 * at, 16 * at + 16));
    if (!taken.includes(id)) strangers.push(hex(id));
    expected.set(`i${fence}`, ids);
    expected.set(`n${fence}`, String(Number(expected.get(`n${fence}`) ?? 0) + 1));
  }
  return [...strangers.map((id) => `${id} is leased by no take`), ...differences(takes, expected)];
}

/** No lease has a fence that was not given out, and each leased job has had an attempt. */
function leasesHaveFences(stored: Stored): string[] {
  const last = Number(stored.meta.get("fence") ?? 0);
  const wrong = ofKind(stored, "l").filter(
    ({ fence, attempt }) => attempt < 1 || Number.parseInt(hex(fence), 16) > last,
  );
  return wrong.map(({ id }) => hex(id));
}

/** `next` is no later than anything that falls due. */
function nextIsNotLate({ meta, leased, delayed, ends }: Stored): string[] {
  const next = Number(meta.get("next") ?? 0);
  const first = Math.min(...leased.values(), ...delayed.values(), ...ends.values());
  return next <= first ? [] : [`${next} is after ${first}`];
}

/** Nothing is damaged. */
function nothingIsDamaged({ damaged }: Stored): string[] {
  return [...damaged.keys()].map(hex);
}

/** All of them. */
export const INVARIANTS: readonly Invariant[] = [
  listHoldsJobsWithoutState,
  listIsInOrder,
  positionsAreUnique,
  listHoldsSimpleJobs,
  statesFitRecords,
  featuresFitRecords,
  orderedHoldsReadyJobs,
  blockedHoldsWaitingJobs,
  delayedHoldsDelayedJobs,
  setsHoldTheirJobs,
  endsHoldWhatEnds,
  extrasFitMarks,
  namesHoldKeys,
  takesCountLeases,
  leasesHaveFences,
  nextIsNotLate,
  nothingIsDamaged,
  lanesHoldTheMembersInOrder,
  headsOfLanesAreOffered,
  groupsPointAtTheirOccupant,
];

/** Bounds that depend on the limits of the scripts. */
export interface Bounds {
  /** Answers in a generation, and how many ms it is the younger one. */
  readonly generation: number;
  readonly window: number;
  /** Processes that ever waited. */
  readonly waiters: number;
}

/** A generation of answers is no larger than its limit, and ends by itself. */
export function answersAreBounded({ answers, older, lasts }: Stored, { generation, window }: Bounds): string[] {
  const longest = 2 * window + 5000;
  const large = [answers, older].filter(({ size }) => size > generation).map(({ size }) => `${size} answers`);
  const eternal = [lasts.answers, lasts.older].filter(
    (ms, at) => (at === 0 ? answers : older).size > 0 && (ms < 0 || ms > longest),
  );
  return [...large, ...eternal.map((ms) => `lasts ${ms} ms`)];
}

/** There are no more waiters than processes that waited, and no more tokens than waiters, of the two kinds. */
export function tokensAreBounded({ waiters, wake }: Stored, bounds: Bounds): string[] {
  const many = waiters.size > bounds.waiters ? [`${waiters.size} waiters of ${bounds.waiters}`] : [];
  // One that waits no longer leaves `waiters`, and its token stays.
  const tokens = wake.length > bounds.waiters ? [`${wake.length} tokens for ${bounds.waiters} waiters`] : [];
  return [...many, ...tokens, ...wake.filter((token) => token !== "j" && token !== "a")];
}
