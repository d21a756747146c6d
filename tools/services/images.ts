/** Images: pulled, or where none can be pulled, built from Debian's packages. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type ContainerRuntimeClient, ImageName } from "testcontainers";
import { canInstall, debianRelease, install } from "./debian.ts";
import type { Kind } from "./kinds.ts";
import { findProgram } from "./program.ts";
import { messageOf, Unavailable } from "./unavailable.ts";

/** An image that the engine has. */
export interface Image {
  readonly name: string;
  /** It was built here, since no registry could be reached. */
  readonly local: boolean;
}

const images = new Map<string, Promise<Image>>();

/** Have the image of this kind: the engine's, a registry's, or one of our own. Rejects with Unavailable. Asks once for each. */
export async function image(kind: Kind, client: ContainerRuntimeClient): Promise<Image> {
  const name = process.env[kind.imageVariable] ?? kind.image;
  const known = images.get(name) ?? pullOrBuild(kind, name, client);
  images.set(name, known);
  return known;
}

async function pullOrBuild(kind: Kind, name: string, client: ContainerRuntimeClient): Promise<Image> {
  try {
    await client.image.pull(ImageName.fromString(name));
    return { name, local: false };
  } catch (error) {
    const local = `pq-local/${kind.name}:debian`;
    if (!(await client.image.exists(ImageName.fromString(local)))) {
      await build(kind, local, client, `the image ${name} cannot be pulled (${messageOf(error).trim()})`);
    }
    return { name: local, local: true };
  }
}

async function build(kind: Kind, name: string, client: ContainerRuntimeClient, why: string): Promise<void> {
  if (kind.debianPackages === undefined) throw new Unavailable(`${why}, and Debian has no package to build it from`);
  if (findProgram("mmdebstrap") === undefined) {
    if (!canInstall()) throw new Unavailable(`${why}, and only root on Debian can build one`);
    await install("mmdebstrap");
  }
  try {
    await importFrom(tarOf(kind.debianPackages), name, client);
  } catch (error) {
    throw new Unavailable(`${why}, and none can be built: ${messageOf(error)}`);
  }
}

/** mmdebstrap writes the packages and what they need, unpacked, as a tar file. */
function tarOf(debianPackages: readonly string[]): readonly string[] {
  const release = debianRelease();
  const suites = [release, `${release}-backports`].map((suite) => `deb http://deb.debian.org/debian ${suite} main`);
  return [
    "mmdebstrap",
    "--quiet",
    "--variant=extract",
    `--include=${debianPackages.join(",")}`,
    release,
    "-",
    ...suites,
  ];
}

async function importFrom(command: readonly string[], name: string, client: ContainerRuntimeClient): Promise<void> {
  const [repo, tag] = name.split(":");
  const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
  let complaints = "";
  child.stderr.on("data", (chunk: Buffer) => void (complaints += chunk.toString()));
  const ended = once(child, "close") as Promise<[code: number | null]>;
  const answer = await client.container.dockerode.importImage(child.stdout, { repo, tag });
  const imported = once(answer, "end");
  answer.resume();
  const [code] = await ended;
  await imported;
  if (code !== 0) throw new Error(`mmdebstrap ended with ${code}.\n${complaints.trim()}`);
}
