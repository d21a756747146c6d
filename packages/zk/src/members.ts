/** Which sessions there are: the children of one node, read again when a watch says that one came or went. */
import type { Member } from "./commands.ts";
import type { Paths } from "./paths.ts";
import type { ZkClient } from "./zk-client.ts";

/** The sessions that take part in a store. */
export class Members {
  readonly #paths: Paths;
  #there = new Set<Member>();
  #known = false;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /** Read them, and leave a watch. */
  async read(zk: ZkClient): Promise<void> {
    this.#there = new Set(await zk.children(this.#paths.members, true));
    this.#known = true;
  }

  /** Was it the watch of `read` that fired? */
  isWatch(path: string): boolean {
    return path === this.#paths.members;
  }

  /** Nobody knows any more who is there. */
  forget(): void {
    this.#known = false;
  }

  /** Those of these that may be gone. One that came after the last look seems so too. */
  missing(members: Iterable<Member>): Member[] {
    return this.#known ? [...members].filter((member) => !this.#there.has(member)) : [];
  }

  /** The place of a member among those that are there. */
  rank(member: Member): number {
    return [...this.#there].toSorted().indexOf(member);
  }

  /** Those of these that are gone for certain. Each of them wrote to a log that was read: so its node was there before, as this server knows. */
  async gone(zk: ZkClient, members: readonly Member[]): Promise<Member[]> {
    const stats = await Promise.all(members.map((member) => zk.exists(this.#paths.member(member))));
    return members.filter((_, index) => stats[index] === null);
  }
}
