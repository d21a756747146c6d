/** With `auth`, nobody else may read or write anything of ours. */
import { createHash } from "node:crypto";
import { isPqError } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { code, failure, newJob, newJobs, type Raw, Site, texts, treeOf } from "./support.ts";

const there = await available("zk");
const auth = { user: "joe", password: "hush:hush" };
const report = (): void => undefined;

/** As ZooKeeper writes it: `joe:<hash>`. */
function digestOf({ user, password }: typeof auth): string {
  return `${user}:${createHash("sha1").update(`${user}:${password}`).digest("base64")}`;
}

describe.skipIf(!there.available)("access", { timeout: 60_000 }, () => {
  let site: Site;

  beforeAll(async () => {
    site = await Site.start();
  });
  afterAll(() => site.close());

  /** Who may do what with a node. */
  async function accessOf({ native }: Raw, path: string): Promise<string[]> {
    type Acl = readonly {
      readonly perm?: number;
      readonly perms?: number;
      readonly scheme: string;
      readonly auth: string;
    }[];
    type Done = (rc: number, text: string, acl: Acl) => void;
    const client = native.native as unknown as { a_get_acl(path: string, done: Done): number };
    const acl = await new Promise<Acl>((resolve, reject) => {
      client.a_get_acl(path, (rc, text, found) => (rc === 0 ? resolve(found) : reject(new Error(`${path}: ${text}`))));
    });
    return acl.map(({ scheme, auth: id, perm, perms }) => `${scheme} ${id} ${perm ?? perms}`);
  }

  test("to each node below the root is for the user alone, also to those of large entries and of many", async () => {
    const seam = await site.queue("q", { auth });
    await seam.put(...newJobs(3));
    await seam.put(newJob("x".repeat(400_000)));
    await Promise.all(newJobs(1100).map((job) => seam.put(job)));
    for (let n = 0; n < 1010; n++) await seam.put(newJob("one entry each"));
    expect(await seam.take(5)).toHaveLength(5);
    await seam.wait(1);
    const raw = await site.raw({ auth });
    const wanted = [`digest ${digestOf(auth)} 31`];
    const nodes = await treeOf(raw.zk, site.root);
    expect(nodes.length).toBeGreaterThan(15);
    for (const node of nodes) {
      // The member's node is ephemeral: it may be gone.
      if ((await raw.zk.exists(node)) === null) continue;
      expect([node, await accessOf(raw, node)]).toEqual([node, wanted]);
    }
  });

  test("is refused to whoever is not logged in, in words that help, and changes nothing", async () => {
    const seam = await site.queue("q", { auth });
    await seam.put(newJob("secret"));
    const error = await failure(site.unopened().open({ report }));
    expect(isPqError(error, "UNAVAILABLE"), error.message).toBe(true);
    expect(error.message).toMatch(/auth/);
    const { zk } = await site.raw();
    const nodes = await treeOf((await site.raw({ auth })).zk, site.root);
    for (const node of nodes.slice(0, 40)) {
      await expect(zk.get(node)).rejects.toThrow(/noAuth|-102/);
      await expect(zk.set(node, Buffer.from("x"), -1)).rejects.toThrow(/noAuth|-102/);
      await expect(zk.create(`${node}/x`, Buffer.from("x"), 0)).rejects.toThrow(/noAuth|-102/);
    }
  });

  test("is refused with a wrong password, which no message repeats", async () => {
    await site.backend({ auth });
    const error = await failure(site.unopened({ auth: { ...auth, password: "wrong-one" } }).open({ report }));
    expect(isPqError(error, "UNAVAILABLE"), error.message).toBe(true);
    expect(error.message).not.toContain("wrong-one");
    expect(error.message).toMatch(/auth|right/);
  });

  test("is had again after the connection was cut, and by a second process of the same user", async () => {
    const proxy = await site.proxy();
    const root = `${site.root}-cut`;
    const seam = await site.queue("q", { auth, root, hosts: proxy.hosts });
    const other = await site.queue("q", { auth, root });
    for (let n = 0; n < 3; n++) {
      await eventually(async () => expect(await code(seam.put(newJob(String(n))))).toBe("done"));
      expect(texts(await other.take(2))).toEqual([String(n)]);
      proxy.faults.cut();
    }
  });
});
