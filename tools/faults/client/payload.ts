/** Payloads that show whether they came back as they went. */
import { hash, type Random } from "../random.ts";

/** A payload. */
export interface Payload {
  readonly id: string;
  readonly pad: string;
  readonly sum: number;
}

/** The payload of a job: mostly small, sometimes up to 20,000 characters. */
export function payloadFor(id: string, random: Random): Payload {
  const pad = "äbc".repeat(random.below(random.chance(0.02) ? 6_000 : 60));
  return { id, pad, sum: hash(id + pad) };
}

/** Is it the payload of this job, unchanged? */
export function isSound({ id, pad, sum }: Payload, jobId: string): boolean {
  return id === jobId && sum === hash(id + pad);
}
