/**
 * Sessions of stores that tie leases to connections. A session ends when the store has heard nothing of its process for so long, and its jobs come
 * back, whatever their leases say. The process cannot know when the store has heard of it last: only that this was during a call that was answered.
 *
 * Two such calls that lie closer together than that are of one session, so a row of them is. Up to which moment a process surely had its session
 * follows from the last call of the row.
 */

/** A call that the store has answered. */
export interface Contact {
  readonly begin: number;
  readonly end: number;
}

/** What a process gets may have come some time ago, when it was stopped meanwhile: the row begins so long before, in ms. */
const BEFORE = 500;

/**
 * Up to when the session surely was there in which a process got something at this moment. `session`: how long one lasts without a sign, in ms.
 * `-Infinity`: it may have been over. The contacts are in the order of their begin.
 */
export function sessionUntil(contacts: readonly Contact[], at: number, session: number): number {
  const first = contacts.findLastIndex(({ begin, end }) => begin <= at - BEFORE && end - begin < session);
  let last = contacts[first]?.begin ?? -Infinity;
  for (const { begin, end } of contacts.slice(first + 1)) {
    if (begin - last >= session) break;
    if (end - last < session) last = begin;
  }
  return last + session;
}
