/** What holds of groups. See `invariants.ts`. */
import { differences, hex } from "./compare.ts";
import type { Bytes, Job, Stored } from "./stored.ts";

/** Has it a position in the lane of its group? Delayed jobs only when they were delivered before. */
function isInLane({ kind, lane }: Job): boolean {
  return kind === "r" || kind === "w" || (kind === "d" && lane !== "1");
}

/** The jobs of each group that stand in its lane, in their order. */
function lanesOf({ all }: Stored): Map<string, Job[]> {
  const lanes = new Map<string, Job[]>();
  for (const job of all.filter(({ features }) => features.group !== null)) {
    const lane = lanes.get(job.features.group!) ?? [];
    if (isInLane(job)) lane.push(job);
    lanes.set(job.features.group!, lane);
  }
  for (const lane of lanes.values()) lane.sort((a, b) => (a.position + a.id < b.position + b.id ? -1 : 1));
  return lanes;
}

function leasedOf({ all }: Stored, group: string): Job[] {
  return all.filter(({ kind, features }) => kind === "l" && features.group === group);
}

/** `lanes` holds the members of groups that are ready, or delayed after a delivery, in the order of their positions. */
export function lanesHoldTheMembersInOrder(stored: Stored): string[] {
  const members = [...lanesOf(stored)].flatMap(([group, lane]) =>
    lane.map(({ position, id }) => String.fromCharCode(group.length) + group + position + id),
  );
  return differences(stored.lanes, new Map(members.map((member) => [member, 0])));
}

/** Of a group with a leased member no job is offered; of any other the first of its lane is, unless that is delayed; never another one. */
export function headsOfLanesAreOffered(stored: Stored): string[] {
  return [...lanesOf(stored)].flatMap(([group, lane]) => {
    const leased = leasedOf(stored, group).length;
    const wrong = lane.filter(({ kind }, at) => (leased === 0 && at === 0 ? kind === "w" : kind === "r"));
    return [
      ...wrong.map(({ id, kind }) => `${hex(id)} of ${group} is ${kind}`),
      ...(leased > 1 ? [`${group} has ${leased} leases`] : []),
    ];
  });
}

/** `groups` says which member of a group is leased, or else which one is offered. */
export function groupsPointAtTheirOccupant(stored: Stored): string[] {
  const occupants = new Map<string, Bytes>();
  for (const [group, [head]] of lanesOf(stored)) {
    const [leased] = leasedOf(stored, group);
    if (leased !== undefined) occupants.set(group, `l${leased.id}`);
    else if (head !== undefined && head.kind !== "d") occupants.set(group, `o${head.id}`);
  }
  return differences(stored.groups, occupants);
}
