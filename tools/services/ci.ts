/** True when nobody watches, so that what is not tested must be an error: `CI` is set. */
export function isCI(): boolean {
  return !["", "0", "false"].includes(process.env["CI"] ?? "");
}
